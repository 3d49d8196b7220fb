"""The tests: a file stands where its module stands in app/; what several of them use is in support/."""

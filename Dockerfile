FROM python:3.11-slim-bookworm

# e.g. "--extra-index-url …" for another build of torch: PyPI's Linux wheel brings 3 GB of CUDA libraries along
ARG PIP_ARGS=""

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    GRADOSCOPE_HOST=0.0.0.0 \
    GRADOSCOPE_PORT=8000 \
    GRADOSCOPE_STORE=/var/lib/gradoscope \
    GRADOSCOPE_WEIGHTS=/var/lib/gradoscope/weights

WORKDIR /src
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# The dependencies, the pretrained weights among them, in a layer of their own: they change seldom.
COPY pyproject.toml constraints.txt ./
# hadolint ignore=SC2086
RUN python -c "import tomllib; about = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
      print(*about['dependencies'], *about['optional-dependencies']['fast'], sep='\n')" > /tmp/requirements.txt \
 && python -m pip install ${PIP_ARGS} -c constraints.txt -r /tmp/requirements.txt \
 && rm /tmp/requirements.txt

COPY . .
RUN python -m pip install --no-deps . \
 && useradd --system --uid 10001 --home-dir /tmp --shell /usr/sbin/nologin gradoscope \
 && install -d -m 700 -o gradoscope /var/lib/gradoscope \
 && rm -rf /src/*

USER 10001
WORKDIR /tmp
VOLUME /var/lib/gradoscope
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["gradoscope", "serve"]

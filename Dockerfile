# The pinned packages and brainmri, for Linux on x86-64; docs/containers.md says how to build and use it.
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY requirements.lock ./
# The packages first: they change less often than the code, and are kept between two builds.
RUN python -m venv /opt/brainmri \
 && /opt/brainmri/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/brainmri/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="brainmri" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
# torch.compile wants a compiler, DVC wants git.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ git \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 brainmri
COPY --from=build /opt/brainmri /opt/brainmri
# USER for whoever runs with a number that has no name here: Snakemake asks for the name. HOME, for caches, is one that
# everybody may write, and the only one where the rest is mounted to be read.
ENV PATH=/opt/brainmri/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    USER=brainmri \
    HOME=/tmp
WORKDIR /work
RUN chown brainmri:brainmri /work
USER brainmri
CMD ["brainmri", "--help"]

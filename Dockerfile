# Every daemon and the checker in one image: `docker build -t talkburst . && docker run --rm talkburst --help`.
# BASE is any image with Python 3.11 or newer, its venv module and pip.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/talkburst
ENV PATH=/opt/talkburst/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The libraries first: this layer is made anew only when pyproject.toml changes.
COPY pyproject.toml ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > /tmp/libraries.txt && pip install --requirement /tmp/libraries.txt
COPY README.md ./
COPY poc poc
COPY core core
COPY server server
COPY xdms xdms
RUN pip install --no-deps .

FROM ${BASE}
COPY --from=build /opt/talkburst /opt/talkburst
# A named volume takes over the owner of the directory that it is mounted on.
RUN mkdir -m 0700 /var/lib/talkburst && chown 10001:10001 /var/lib/talkburst
ENV PATH=/opt/talkburst/bin:$PATH LANG=C.UTF-8 TALKBURST_STATE=/var/lib/talkburst
USER 10001:10001
VOLUME /var/lib/talkburst
ENTRYPOINT ["talkburst"]

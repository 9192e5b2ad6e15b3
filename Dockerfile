# The images of the platform. What they hold is listed in charts/image/contents and charts/image/python, which
# `charts/image/build` reads too: the tests run on the same files as this file makes.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --workspace --exclude tests --exclude market-server --bins
RUN charts/image/rootfs --contents charts/image/contents --binaries target/release --into /rootfs

FROM scratch AS platform
COPY --from=build /rootfs/ /
ENV PATH=/usr/local/bin:/usr/bin:/bin
USER 65532:65532
CMD ["worker", "--help"]

# With Python, for strategies that are processes: docker build --target python .
FROM build AS build-python
RUN apt-get update && apt-get install --yes --no-install-recommends python3 tzdata libstdc++6
RUN charts/image/rootfs --contents charts/image/python --binaries target/release --into /python

FROM platform AS python
COPY --from=build-python /python/ /

# What is built when no target is named.
FROM platform

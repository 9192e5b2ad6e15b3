# The image of the platform. What it holds is listed in charts/image/contents, which `charts/image/build` reads too: the
# tests run on the same files as this file makes.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --workspace --exclude tests --exclude market-server --bins
RUN charts/image/rootfs --contents charts/image/contents --binaries target/release --into /rootfs

# The same with Python, for strategies that are processes: docker build --target python .
FROM debian:bookworm-slim AS python
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /rootfs/replay/ /replay/
COPY --from=build /source/target/release/worker /source/target/release/operator /usr/local/bin/
COPY --from=build /source/examples/python-strategy/glm/ /usr/lib/python3/dist-packages/glm/
USER 65532:65532
CMD ["worker", "--help"]

FROM scratch
COPY --from=build /rootfs/ /
ENV PATH=/usr/local/bin:/usr/bin:/bin
USER 65532:65532
CMD ["worker", "--help"]

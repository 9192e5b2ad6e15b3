# The image of the platform. What it holds is listed in charts/image/contents, which `charts/image/build` reads too: the
# tests run on the same files as this file makes.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --workspace --exclude tests --bins
RUN charts/image/rootfs --contents charts/image/contents --binaries target/release --into /rootfs

FROM scratch
COPY --from=build /rootfs/ /
ENV PATH=/usr/local/bin:/usr/bin:/bin
USER 65532:65532
CMD ["worker", "--help"]

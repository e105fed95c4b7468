# Untried: nobody has built it yet. Docker and Podman read it.
#
#   docker build -t w2v-gpu .
#   docker run --rm -v "$PWD:/work" w2v-gpu train text.txt -o vectors.bin
#
# GPUs need to be handed in:
#   AMD, Intel:  docker run --device /dev/dri ...      Mesa's drivers are in the image.
#   NVIDIA:      docker run --gpus all ...             with NVIDIA's container toolkit on the host, which brings the driver;
#                                                      Vulkan belongs to its `graphics` capability, set below.
# `w2v-gpu devices` lists what arrived. Without a GPU the CPU trains; `--engine gpu` then takes Mesa's software adapter.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
# hadolint ignore=DL3008 # Drivers are best the newest that Debian has.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libvulkan1 mesa-vulkan-drivers \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /source/target/release/w2v-gpu /usr/local/bin/
ENV NVIDIA_DRIVER_CAPABILITIES=compute,graphics,utility
WORKDIR /work
ENTRYPOINT ["w2v-gpu"]
CMD ["--help"]

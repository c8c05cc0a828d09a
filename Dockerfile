# syntax=docker/dockerfile:1
# The engine with the command kri, and no topology: mount yours below /app, or build FROM this image and COPY it there.
# Parse-checked, and laid out and run without Docker, by the tests in test/image: scripts/image-tree.ts follows this file.

# onnxruntime-node is built against glibc, so no Alpine here. The version is the one that development uses.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /build
# Its CUDA libraries would come from outside npm, and are large: docs/deploy.md says how to add them.
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY tsconfig.json tsconfig.build.json LICENSE ./
COPY src src
COPY scripts/prune-image.mjs scripts/prune-image.mjs
RUN npm run build
# What only development needs goes, and what onnxruntime-node carries for other systems.
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund && node scripts/prune-image.mjs node_modules

FROM node:24.21.0-bookworm-slim
LABEL org.opencontainers.image.title="kafka-run-inference" \
      org.opencontainers.image.description="ONNX models on Kafka streams: batched inference as a consumer group, with typed dead letters" \
      org.opencontainers.image.licenses="Apache-2.0"
# Process 1 of a container cannot kill itself, which is how an instance ends when a model hangs: tini is process 1 instead,
# hands on signals, and ends with the exit code of the instance.
RUN apt-get update && apt-get install -y --no-install-recommends tini=0.19.0-* && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /build/package.json /build/LICENSE ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
ENV NODE_ENV=production \
    KRI_HTTP_HOST=0.0.0.0 \
    KRI_HTTP_PORT=8080
# By number, so that Kubernetes can see that it is not root. Nothing below /app can be written by it, and nothing needs to be.
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
# Alive, not ready: an instance that waits for its brokers must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.KRI_HTTP_PORT}/livez`).then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/usr/bin/tini", "--", "node", "/app/dist/cli/bin.js"]
CMD ["--help"]

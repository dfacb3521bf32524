# The gateway (`--target gateway`, the default), and the demo's subgraphs and storefront (`--target demo`).
#   docker build -t tributary .
#   docker run -p 4000:4000 -v ./supergraph:/etc/tributary/supergraph:ro tributary    # reads supergraph/supergraph.graphql
#   docker run tributary config check    # any other command
# docs/production.md lists the environment variables.
ARG NODE_IMAGE=node:26.10.0-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/bundleSources.ts scripts/bundledLicences.ts scripts/bundles.ts scripts/optionDescriptions.ts scripts/
COPY gateway gateway
COPY contracts contracts
COPY storefront storefront
RUN npm run build && node scripts/bundles.ts

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Types and source maps are half of the files, and nothing reads them at run time.
RUN npm ci --omit=dev \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

# The bundle of the storefront, instead of the packages that it is bundled from.
FROM dependencies AS demo
COPY --from=build /app/node_modules/.cache/storefront node_modules/.cache/storefront
COPY subgraphs subgraphs
COPY storefront storefront
USER 1000:1000
ENTRYPOINT ["node"]

FROM ${NODE_IMAGE} AS gateway
ENV NODE_ENV=production \
  TRIBUTARY_HOST=0.0.0.0 \
  TRIBUTARY_PORT=4000 \
  TRIBUTARY_ADMIN_HOST=0.0.0.0 \
  TRIBUTARY_ADMIN_PORT=4001 \
  MALLOC_ARENA_MAX=1 \
  NODE_DISABLE_COMPILE_CACHE=1
COPY --from=dependencies /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
COPY package.json LICENSE LICENSE-DEPENDENCIES.md /app/
# The configuration is found in the working directory. Mount your own file here, or name it with --config.
WORKDIR /etc/tributary
COPY deploy/kubernetes/base/tributary.yaml ./
# By number, so that Kubernetes can check that it is not root.
USER 1000:1000
# Publish 4001 to operators only: the admin listener has no authentication.
EXPOSE 4000 4001
# Liveness: a gateway that drains, sheds load or waits for its supergraph is not ready, and must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "const { TRIBUTARY_ADMIN_HOST: host, TRIBUTARY_ADMIN_PORT: port } = process.env; http.get({ host, port, path: '/health/live' }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# Young generation: at the default of 16 MiB, collecting it is the largest single cost of a busy gateway.
ENTRYPOINT ["node", "--max-semi-space-size=64", "/app/dist/gateway/cli.js"]
CMD ["serve"]

# The gateway (`--target gateway`, the default) and the demo subgraphs (`--target subgraphs`).
#   docker build -t tributary .
#   docker run -p 4000:4000 -v ./supergraph.graphql:/config/supergraph.graphql:ro tributary --supergraph /config/supergraph.graphql

FROM node:26-slim AS base
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

FROM base AS build
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/bundles.ts scripts/optionDescriptions.ts scripts/
COPY gateway gateway
COPY contracts contracts
RUN npm run build

FROM base AS dependencies
RUN npm ci --omit=dev

FROM dependencies AS subgraphs
ENV NODE_ENV=production
COPY subgraphs subgraphs
USER node
ENTRYPOINT ["node"]

FROM node:26-slim AS gateway
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE LICENSE-DEPENDENCIES.md ./
USER node
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:4000/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Young generation: at the default of 16 MiB, collecting it is the largest single cost of a busy gateway.
ENTRYPOINT ["node", "--max-semi-space-size=64", "dist/gateway/cli.js", "serve", "--host", "0.0.0.0"]

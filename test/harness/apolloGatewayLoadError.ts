import { ApolloGateway } from '@apollo/gateway';

const silentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Loads a supergraph in Apollo Gateway without calling a subgraph. Returns its message when it refuses the supergraph,
 *  `undefined` when it accepts it. */
export async function apolloGatewayLoadError(sdl: string): Promise<string | undefined> {
  // Otherwise the class reports to its vendor. The environment is restored after the suite.
  process.env.APOLLO_TELEMETRY_DISABLED = 'true';
  const gateway = new ApolloGateway({ supergraphSdl: sdl, logger: silentLogger });
  try {
    await gateway.load();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  await gateway.stop();
  return undefined;
}

import {
  type Authentication,
  HeaderAuthentication,
  warnAboutAudiences,
} from './admission/authentication/authentication.ts';
import {
  checkIdentities,
  createIdentityReader,
  identityHeadersOf,
  type ReadIdentity,
} from './admission/identity.ts';
import type { FeatureContext } from './feature.ts';
import { createSchemaAccess } from './subgraphs/schemaAccess.ts';
import { createSubgraphEndpoints } from './subgraphs/subgraphEndpoints.ts';
import type { StreamLimiter } from './subscriptions/streamLimiter.ts';
import type { Certificates } from './tls/certificates.ts';
import { createIdGenerator, type WorkerIdentity } from './transport/workers/workerIdentity.ts';

interface FeatureContextOptions
  extends Pick<FeatureContext, 'config' | 'log' | 'metrics' | 'timers' | 'supergraphs' | 'tracing'> {
  /** Default: `Date.now`. */
  readonly now?: () => number;
  readonly certificates: Certificates;
  readonly openStreams: StreamLimiter;
  readonly worker?: WorkerIdentity;
  /** Default: as the configuration says. */
  readonly readIdentity?: ReadIdentity;
}

/** Creates what every feature of a gateway gets. */
export async function createFeatureContext(options: FeatureContextOptions): Promise<FeatureContext> {
  const { config, log, metrics, timers, now = Date.now, supergraphs, tracing } = options;
  const { certificates, openStreams, worker } = options;
  const { jwt, identity } = config.security;
  const basics = { config, log, metrics, timers, now };
  const readIdentity =
    options.readIdentity === undefined
      ? createIdentityReader(identity)
      : checkIdentities(options.readIdentity);
  return {
    ...basics,
    tracing,
    supergraphs,
    endpointOf: createSubgraphEndpoints(config, supergraphs, certificates, log),
    schemaAccessOf: createSchemaAccess(config, certificates),
    openStream: (clientKey, weight) => openStreams.open(clientKey, weight),
    authentication: await createAuthentication(),
    identityHeaders: options.readIdentity === undefined ? identityHeadersOf(config.security) : ['*'],
    newId: createIdGenerator(worker?.name),
  };

  async function createAuthentication(): Promise<Authentication> {
    if (jwt === undefined) return new HeaderAuthentication(readIdentity);
    warnAboutAudiences(config.security, log);
    // Imported on demand, as it brings the library for tokens.
    const { TokenAuthentication } = await import('./admission/authentication/tokenAuthentication.ts');
    return new TokenAuthentication({ ...basics, jwt, readIdentity });
  }
}

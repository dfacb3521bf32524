import { readFileSync } from 'node:fs';
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';

/** Identifies one gateway in its traces and metrics. */
export interface GatewayIdentity {
  /** A random id of this gateway, unless the environment sets one. */
  readonly instanceId: string;
  /** The name of this worker, where several share the port. */
  readonly workerName: string | undefined;
}

/** The version of Tributary. */
export const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };

/** The resource of this gateway's traces and metrics. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` override the
 *  defaults. Each worker has an id of its own. */
export function createGatewayResource({ instanceId, workerName }: GatewayIdentity): Resource {
  const fromEnvironment = detectResources({ detectors: [envDetector] });
  const id = String(fromEnvironment.attributes[ATTR_SERVICE_INSTANCE_ID] ?? instanceId);
  return defaultResource()
    .merge(resourceFromAttributes({ [ATTR_SERVICE_NAME]: 'tributary', [ATTR_SERVICE_VERSION]: version }))
    .merge(fromEnvironment)
    .merge(
      resourceFromAttributes({
        [ATTR_SERVICE_INSTANCE_ID]: workerName === undefined ? id : `${id}.${workerName}`,
      }),
    );
}

/** A feature of the supergraph, as it links to it. */
export interface LinkedFeature {
  /** Without the version. */
  readonly identity: string;
  /** Such as `v0.1`. */
  readonly version: string;
  /** Whether the supergraph says that a gateway must know it. */
  readonly isRequired: boolean;
  /** Where its directives stand, as schema coordinates, in the order of the schema. */
  readonly coordinates: readonly string[];
}

interface FeatureSupport {
  readonly identity: string;
  readonly versions: readonly string[];
  readonly kind:
    | 'served'
    /** Nothing in it concerns a gateway that plans and executes: loaded and passed over. */
    | 'passed over'
    /** Would be open to everyone: refused where one of its directives is used. */
    | 'not enforced'
    /** Fields would have nobody to resolve them: refused. */
    | 'not executed';
}

const apolloSpecsUrl = 'https://specs.apollo.dev';

/** What this gateway does about the features that supergraphs link to. */
export const featureSupport: readonly FeatureSupport[] = [
  { identity: `${apolloSpecsUrl}/core`, versions: ['v0.1', 'v0.2'], kind: 'served' },
  { identity: `${apolloSpecsUrl}/link`, versions: ['v1.0'], kind: 'served' },
  { identity: `${apolloSpecsUrl}/join`, versions: ['v0.1', 'v0.2', 'v0.3', 'v0.4', 'v0.5'], kind: 'served' },
  { identity: `${apolloSpecsUrl}/inaccessible`, versions: ['v0.1', 'v0.2'], kind: 'served' },
  { identity: `${apolloSpecsUrl}/context`, versions: ['v0.1'], kind: 'served' },
  { identity: 'https://tributary.dev/spec', versions: ['v1.0'], kind: 'served' },
  { identity: `${apolloSpecsUrl}/tag`, versions: ['v0.1', 'v0.2', 'v0.3'], kind: 'passed over' },
  { identity: `${apolloSpecsUrl}/cost`, versions: ['v0.1'], kind: 'passed over' },
  { identity: `${apolloSpecsUrl}/cacheTag`, versions: ['v0.1'], kind: 'passed over' },
  { identity: `${apolloSpecsUrl}/authenticated`, versions: ['v0.1'], kind: 'not enforced' },
  { identity: `${apolloSpecsUrl}/requiresScopes`, versions: ['v0.1'], kind: 'not enforced' },
  { identity: `${apolloSpecsUrl}/policy`, versions: ['v0.1'], kind: 'not enforced' },
  { identity: `${apolloSpecsUrl}/connect`, versions: ['v0.1', 'v0.2', 'v0.3', 'v0.4'], kind: 'not executed' },
];

/** Why a supergraph with these features cannot be served; `undefined` if it can. */
export function describeUnsupportedFeatures(features: readonly LinkedFeature[]): string | undefined {
  const reasons = features.flatMap((feature) => describeUnsupportedFeature(feature) ?? []);
  return reasons.length === 0 ? undefined : reasons.join('\n');
}

function describeUnsupportedFeature(feature: LinkedFeature): string | undefined {
  const support = featureSupport.find(({ identity }) => identity === feature.identity);
  const name = `@${feature.identity.slice(feature.identity.lastIndexOf('/') + 1)}`;
  switch (support?.kind) {
    case 'not enforced':
      if (feature.coordinates.length === 0) return undefined;
      return (
        `${name} is not enforced by this version of Tributary: everyone could read what it guards. ` +
        `It stands at ${listCoordinates(feature)}. ` +
        'Let the subgraphs check access themselves and compose without the directive, or compose without these parts of the schema.'
      );
    case 'not executed':
      return (
        `${name} is not executed by this version of Tributary: fields of connectors would have no subgraph to ask. ` +
        (feature.coordinates.length === 0 ? '' : `It stands at ${listCoordinates(feature)}. `) +
        'Put a GraphQL subgraph in the place of each subgraph that uses it.'
      );
    default:
      if (!feature.isRequired || support?.versions.includes(feature.version)) return undefined;
      return (
        `feature ${feature.identity}/${feature.version} is not supported, and the supergraph says that it must not be passed over` +
        (support === undefined ? '.' : `; supported: ${support.versions.join(', ')}.`)
      );
  }
}

/** Enough to find what is meant; a whole schema may be guarded. */
const maxListedCoordinates = 10;

function listCoordinates({ coordinates }: LinkedFeature): string {
  const rest = coordinates.length - maxListedCoordinates;
  const shown = coordinates.slice(0, maxListedCoordinates).join(', ');
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

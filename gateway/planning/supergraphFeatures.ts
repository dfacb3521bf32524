import { truncateList } from '../json/truncate.ts';

/** A feature that a supergraph links to with `@link` or `@core`. */
export interface LinkedFeature {
  /** URL without the version. */
  readonly identity: string;
  /** Such as `v0.1`. */
  readonly version: string;
  /** Whether the link has `for: SECURITY` or `for: EXECUTION`. */
  readonly isRequired: boolean;
  /** Schema coordinates at which its directives are applied, in schema order. */
  readonly coordinates: readonly string[];
}

interface FeatureSupport {
  readonly identity: string;
  readonly versions: readonly string[];
  readonly kind:
    | 'supported'
    /** Does not concern a gateway that plans and executes: accepted without effect. */
    | 'ignored'
    /** Its fields have no resolver: refused. */
    | 'not executed';
}

const apolloSpecsUrl = 'https://specs.apollo.dev';

/** How this gateway handles the features that supergraphs link to. */
export const featureSupport: readonly FeatureSupport[] = [
  { identity: `${apolloSpecsUrl}/core`, versions: ['v0.1', 'v0.2'], kind: 'supported' },
  { identity: `${apolloSpecsUrl}/link`, versions: ['v1.0'], kind: 'supported' },
  {
    identity: `${apolloSpecsUrl}/join`,
    versions: ['v0.1', 'v0.2', 'v0.3', 'v0.4', 'v0.5'],
    kind: 'supported',
  },
  { identity: `${apolloSpecsUrl}/inaccessible`, versions: ['v0.1', 'v0.2'], kind: 'supported' },
  { identity: `${apolloSpecsUrl}/context`, versions: ['v0.1'], kind: 'supported' },
  { identity: `${apolloSpecsUrl}/cost`, versions: ['v0.1'], kind: 'supported' },
  { identity: 'https://tributary.dev/spec', versions: ['v1.0'], kind: 'supported' },
  { identity: `${apolloSpecsUrl}/tag`, versions: ['v0.1', 'v0.2', 'v0.3'], kind: 'ignored' },
  { identity: `${apolloSpecsUrl}/cacheTag`, versions: ['v0.1'], kind: 'ignored' },
  { identity: `${apolloSpecsUrl}/authenticated`, versions: ['v0.1'], kind: 'supported' },
  { identity: `${apolloSpecsUrl}/requiresScopes`, versions: ['v0.1'], kind: 'supported' },
  { identity: `${apolloSpecsUrl}/policy`, versions: ['v0.1'], kind: 'supported' },
  { identity: `${apolloSpecsUrl}/connect`, versions: ['v0.1', 'v0.2', 'v0.3', 'v0.4'], kind: 'not executed' },
];

/** Why a supergraph with these features is refused, one reason on each line; `undefined` when it is accepted. */
export function describeUnsupportedFeatures(features: readonly LinkedFeature[]): string | undefined {
  const reasons = features.flatMap((feature) => describeUnsupportedFeature(feature) ?? []);
  return reasons.length === 0 ? undefined : reasons.join('\n');
}

function describeUnsupportedFeature(feature: LinkedFeature): string | undefined {
  const support = featureSupport.find(({ identity }) => identity === feature.identity);
  const name = `@${feature.identity.slice(feature.identity.lastIndexOf('/') + 1)}`;
  switch (support?.kind) {
    case 'not executed':
      return (
        `${name} is not executed by this version of Tributary: no subgraph resolves the fields of connectors. ` +
        (feature.coordinates.length === 0 ? '' : `It is applied at ${listCoordinates(feature)}. `) +
        'Replace each subgraph that uses it by a GraphQL subgraph.'
      );
    default:
      if (!feature.isRequired || support?.versions.includes(feature.version)) return undefined;
      return (
        `feature ${feature.identity}/${feature.version} is not supported, and the supergraph requires it (\`for:\` of its link)` +
        (support === undefined ? '.' : `; supported: ${support.versions.join(', ')}.`)
      );
  }
}

/** Limits the message: a directive may be applied everywhere in a schema. */
const maxListedCoordinates = 10;

function listCoordinates({ coordinates }: LinkedFeature): string {
  return truncateList(coordinates, maxListedCoordinates).join(', ');
}

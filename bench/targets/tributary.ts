import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import type { Target, TargetContext } from './target.ts';
import { pathFromTargets } from './target.ts';

export const tributary = configuredTributary('tributary', optionsFor);

/** Tracing with this part of the requests sampled. A subgraph's server takes the spans. */
export function tracedTributary(name: string, sampleRatio: number): Target {
  return configuredTributary(name, (context) => {
    const [subgraphUrl = ''] = Object.values(context.subgraphUrls);
    const otlp = { endpoint: new URL(subgraphUrl).origin, sampleRatio };
    return { ...optionsFor(context), telemetry: { otlp } };
  });
}

function optionsFor({ sharing }: TargetContext): Partial<GatewayOptions> {
  // Without sharing, each client of a subgraph that takes 2 s occupies a connection: 100 at a time.
  return sharing ? {} : { batching: { acrossRequests: false }, subgraphs: { all: { connections: 256 } } };
}

/** At its first start: without compiled modules from an earlier start. */
export const startedTributary = withEnvironment(tributary, () => ({ NODE_DISABLE_COMPILE_CACHE: '1' }));

/** The same, with the compiled modules that the first round stored. */
export const restartedTributary = withEnvironment(
  configuredTributary('tributary-restarted', optionsFor),
  ({ supergraphFile }) => ({ XDG_CACHE_HOME: join(dirname(supergraphFile), 'cache') }),
);

let builtCli: string | undefined;

/** Builds the package of this checkout, once per process, and returns the path of its command. */
export function buildTributary(): string {
  if (builtCli !== undefined) return builtCli;
  const root = pathFromTargets('../..');
  const out = join(root, 'node_modules/.cache/bench-dist');
  const { status } = spawnSync(
    process.execPath,
    [join(root, 'scripts/build.ts'), '--out', out, '--no-check'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (status !== 0) throw new Error('The package could not be built. Run npm run build to see why.');
  builtCli = join(out, 'gateway/cli.js');
  return builtCli;
}

function withEnvironment(
  target: Target,
  environmentOf: (context: TargetContext) => Record<string, string>,
): Target {
  return {
    ...target,
    program: (context) => ({ ...target.program(context), env: environmentOf(context) }),
  };
}

/** The requests of this target have no `@defer`. */
export const plainTributary: Target = {
  ...configuredTributary('tributary-plain', optionsFor),
  isPlain: true,
};

export function tributaryWithWorkers(workers: number): Target {
  const name = `tributary-workers-${workers}`;
  return {
    ...configuredTributary(name, (context) => ({ ...optionsFor(context), workers })),
    usesAllCores: true,
  };
}

/** Tributary from the sources of a checkout. */
export function tributaryOf(checkout: string, name: string): Target {
  return configuredTributary(name, optionsFor, join(checkout, 'gateway/cli.ts'));
}

/** `tributary serve` with these options, besides addresses and supergraph. `cli`: by default that of the built package,
 *  which is what users run. */
export function configuredTributary(
  name: string,
  optionsOf: (context: TargetContext) => Partial<GatewayOptions>,
  cli?: string,
): Target {
  return {
    name,
    role: 'subject',
    readyPath: '/health/ready',
    program: (context) => {
      const file = join(context.directory, 'tributary.yaml');
      const options: GatewayOptions = {
        listen: { host: '127.0.0.1', port: context.port },
        admin: { host: '127.0.0.1', port: 0 },
        supergraph: { file: context.supergraphFile },
        ...optionsOf(context),
      };
      // JSON is valid YAML.
      writeFileSync(file, JSON.stringify(options));
      return {
        args: [cli ?? buildTributary(), 'serve', '--config', file],
        env: {},
        path: '/graphql',
      };
    },
  };
}

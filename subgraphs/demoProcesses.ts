import { join } from 'node:path';
import { type DocumentNode, Kind } from 'graphql';
import { type DemoSubgraphName, demoDefinitions } from './demo.ts';
import { type Fault, type Faults, parseFaults } from './shared/parseFaults.ts';
import { RequestError } from './shared/readJsonBody.ts';
import { SubgraphProcess } from './shared/subgraphProcess.ts';

type FaultTargets = Readonly<Record<string, Fault>>;

interface SubgraphStatus {
  readonly name: string;
  readonly url: string;
  readonly state: SubgraphProcess['state'];
  /** Null unless the process runs. */
  readonly pid: number | null;
  /** How the process ended; null while it runs. */
  readonly exit: string | null;
  /** The active faults. */
  readonly faults: FaultTargets;
  /** The faults after each start. */
  readonly defaultFaults: FaultTargets;
  /** The fields that faults can name, as `Type.field`. */
  readonly fields: readonly string[];
}

export interface DemoProcesses {
  /** In the order of the ports. */
  status(): Promise<readonly SubgraphStatus[]>;
  /** Replaces all faults of a running subgraph. */
  setFaults(name: string, faults: object): Promise<void>;
  /** Kills the process of a running subgraph with SIGKILL. */
  kill(name: string): Promise<void>;
  /** Starts a subgraph that is down, with its default faults and its initial data. */
  start(name: string): Promise<void>;
  /** Starts the subgraphs that are down, in parallel, and restores the default faults of all. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

interface DemoProcessesOptions {
  readonly host: string;
  readonly ports: Readonly<Record<DemoSubgraphName, number>>;
  /** The faults after each start, as text for `parseFaults`. */
  readonly faults: Readonly<Record<DemoSubgraphName, string>>;
}

/** How long a subgraph may take to answer its controls. They are never delayed by faults. */
const controlTimeoutMs = 2000;

/** The five subgraphs of the demo, each in a process of its own. `restore` starts them. The methods throw a `RequestError`
 *  with the reason if they cannot do what they are named after. */
export function createDemoProcesses({ host, ports, faults }: DemoProcessesOptions): DemoProcesses {
  const names = Object.keys(demoDefinitions) as DemoSubgraphName[];
  const all = names.map((name) => ({
    subgraph: new SubgraphProcess({
      name,
      file: join(import.meta.dirname, name, 'server.ts'),
      host,
      port: ports[name],
      faults: faults[name],
    }),
    defaultFaults: parseFaults(faults[name]).targets,
    fields: fieldsOf(demoDefinitions[name].typeDefs),
  }));

  function find(name: string): SubgraphProcess {
    const found = all.find(({ subgraph }) => subgraph.name === name);
    if (found !== undefined) return found.subgraph;
    throw new RequestError(404, `There is no subgraph "${name}". The subgraphs are ${names.join(', ')}.`);
  }

  return {
    status: () =>
      Promise.all(
        all.map(async ({ subgraph, defaultFaults, fields }) => {
          const active = subgraph.state === 'running' ? await readActiveFaults(subgraph) : {};
          const { name, url, state, pid, exit } = subgraph;
          return { name, url, state, pid, exit, faults: active, defaultFaults, fields };
        }),
      ),
    async setFaults(name, faults) {
      const subgraph = find(name);
      if (subgraph.state !== 'running') {
        throw new RequestError(
          409,
          `Subgraph "${name}" is ${subgraph.state}: start it before you set its faults.`,
        );
      }
      await callFaults(subgraph, { method: 'POST', body: JSON.stringify(faults) });
    },
    kill: (name) => find(name).kill(),
    start: (name) => find(name).start(),
    async restore() {
      await Promise.all(
        all.map(async ({ subgraph }) => {
          if (subgraph.state === 'down') await subgraph.start();
          else if (subgraph.state === 'running') await callFaults(subgraph, { method: 'DELETE' });
        }),
      );
    },
    async close() {
      await Promise.all(all.map(({ subgraph }) => subgraph.stop()));
    },
  };
}

/** The active faults, or none if the process ends meanwhile. */
async function readActiveFaults(subgraph: SubgraphProcess): Promise<FaultTargets> {
  try {
    return (await callFaults(subgraph, {})).targets;
  } catch {
    return {};
  }
}

/** @throws {RequestError} with 400 and the subgraph's message if it refuses the faults. */
async function callFaults({ name, url }: SubgraphProcess, init: RequestInit): Promise<Faults> {
  let response: Response;
  try {
    response = await fetch(new URL('/faults', url), {
      ...init,
      signal: AbortSignal.timeout(controlTimeoutMs),
    });
  } catch (error) {
    throw new RequestError(502, `Subgraph "${name}" did not answer: ${(error as Error).message}`);
  }
  const body = (await response.json()) as Faults & {
    readonly errors?: readonly [{ readonly message: string }];
  };
  if (body.errors !== undefined)
    throw new RequestError(response.status, `${name}: ${body.errors[0].message}`);
  return body;
}

/** The fields that the subgraph resolves itself, as `Type.field`. */
function fieldsOf({ definitions }: DocumentNode): string[] {
  return definitions.flatMap((definition) => {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION || isExternal(definition)) return [];
    const fields = definition.fields?.filter((field) => !isExternal(field)) ?? [];
    return fields.map((field) => `${definition.name.value}.${field.name.value}`);
  });
}

function isExternal({
  directives = [],
}: {
  readonly directives?: readonly { name: { value: string } }[];
}): boolean {
  return directives.some(({ name }) => name.value === 'external');
}

import { parseArgs } from 'node:util';
import { type DemoSubgraphName, demoDefinitions } from '../subgraphs/demo.ts';
import { isPortFree } from './isPortFree.ts';

/** An error whose message is for the user. It is printed without a stack trace. */
export class StartError extends Error {}

export interface DemoPorts {
  readonly gateway: number;
  readonly admin: number;
  readonly storefront: number;
  readonly subgraphs: Readonly<Record<DemoSubgraphName, number>>;
}

/** One option that moves one port, or the consecutive ports of several parts. */
interface PortSetting {
  readonly option: string;
  readonly variable: string;
  readonly defaultPort: number;
  readonly parts: readonly string[];
}

const subgraphNames = Object.keys(demoDefinitions) as DemoSubgraphName[];

const settings = {
  gateway: { option: 'port', variable: 'TRIBUTARY_PORT', defaultPort: 4000, parts: ['gateway'] },
  admin: {
    option: 'admin-port',
    variable: 'TRIBUTARY_ADMIN_PORT',
    defaultPort: 4001,
    parts: ['admin listener'],
  },
  storefront: { option: 'storefront-port', variable: 'STOREFRONT_PORT', defaultPort: 4200, parts: ['shop'] },
  subgraphs: {
    option: 'subgraph-port',
    variable: 'SUBGRAPH_PORT',
    defaultPort: 4101,
    parts: subgraphNames.map((name) => `subgraph ${name}`),
  },
} as const satisfies Record<string, PortSetting>;

type SettingName = keyof typeof settings;
/** The first port of each setting. */
type FirstPorts = Readonly<Record<SettingName, number>>;

/** Distance of a suggested port from the port in use. Leaves room for the five subgraphs. */
const suggestionStep = 10;
const maxSuggestions = 50;

/** Reads the ports of the demo from the options of the command and from the environment; options come first. Checks that
 *  all of them are free. @throws {StartError} that names every problem. */
export async function readDemoPorts(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<DemoPorts> {
  const first = readFirstPorts(args, environment);
  checkOverlaps(first);
  await checkAllFree(first);
  const subgraphs = subgraphNames.map((name, index) => [name, first.subgraphs + index]);
  return { ...first, subgraphs: Object.fromEntries(subgraphs) };
}

function readFirstPorts(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): FirstPorts {
  const options = Object.values(settings).map(({ option }) => [option, { type: 'string' }] as const);
  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({ args: [...args], options: Object.fromEntries(options) }));
  } catch (error) {
    const known = options.map(([option]) => `--${option} N`).join(', ');
    throw new StartError(`${(error as Error).message}\nThe options are ${known}.`);
  }
  return mapSettings(({ option, variable, defaultPort, parts }) => {
    const fromOption = values[option] as string | undefined;
    const text = fromOption ?? environment[variable] ?? String(defaultPort);
    const port = Number(text);
    const max = 65_536 - parts.length;
    if (Number.isInteger(port) && port > 0 && port <= max) return port;
    const where = fromOption === undefined ? variable : `--${option}`;
    throw new StartError(`${where}: must be a port from 1 to ${max}, not "${text}"`);
  });
}

function mapSettings(read: (setting: PortSetting, name: SettingName) => number): FirstPorts {
  const names = Object.keys(settings) as SettingName[];
  return Object.fromEntries(names.map((name) => [name, read(settings[name], name)])) as Record<
    SettingName,
    number
  >;
}

interface PartPort {
  readonly part: string;
  readonly port: number;
  readonly name: SettingName;
}

function listPorts(first: FirstPorts): PartPort[] {
  return (Object.keys(settings) as SettingName[]).flatMap((name) =>
    settings[name].parts.map((part, index) => ({ part, port: first[name] + index, name })),
  );
}

function describe({ part, port, name }: PartPort): string {
  const { option, variable, parts } = settings[name];
  return `  ${port}  ${part.padEnd(24)} --${option} or ${variable}${parts.length > 1 ? ', the first of five' : ''}`;
}

function checkOverlaps(first: FirstPorts): void {
  const all = listPorts(first);
  const shared = all.filter(({ port }) => all.filter((other) => other.port === port).length > 1);
  if (shared.length === 0) return;
  throw new StartError(['Several parts of the demo have the same port:', ...shared.map(describe)].join('\n'));
}

async function checkAllFree(first: FirstPorts): Promise<void> {
  const inUse = await findUsedPorts(first);
  if (inUse.length === 0) return;
  const lines = ['Some ports of the demo are in use. Does it run already?', ...inUse.map(describe)];
  const moved = await suggestPorts(first, new Set(inUse.map(({ name }) => name)));
  if (moved === undefined) lines.push('End what listens there, or move the ports with these options.');
  else lines.push('End what listens there, or start this demo on other ports:', `  ${commandFor(moved)}`);
  throw new StartError(lines.join('\n'));
}

async function findUsedPorts(first: FirstPorts): Promise<PartPort[]> {
  const checked = await Promise.all(
    listPorts(first).map(async (part) => ({ part, isUsed: !(await isPortFree(part.port)) })),
  );
  return checked.flatMap(({ part, isUsed }) => (isUsed ? [part] : []));
}

/** Moves these settings to the nearest ports that are free. */
async function suggestPorts(
  first: FirstPorts,
  names: ReadonlySet<SettingName>,
): Promise<FirstPorts | undefined> {
  for (let step = 1; step <= maxSuggestions; step += 1) {
    const moved = mapSettings((_, name) => first[name] + (names.has(name) ? step * suggestionStep : 0));
    const ports = listPorts(moved).map(({ port }) => port);
    if (Math.max(...ports) > 65_535) return undefined;
    if (new Set(ports).size === ports.length && (await findUsedPorts(moved)).length === 0) return moved;
  }
  return undefined;
}

function commandFor(first: FirstPorts): string {
  const names = (Object.keys(settings) as SettingName[]).filter(
    (name) => first[name] !== settings[name].defaultPort,
  );
  return ['npm start --', ...names.map((name) => `--${settings[name].option} ${first[name]}`)].join(' ');
}

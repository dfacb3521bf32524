import { hasCredentials } from './addressSecrets.ts';
import { type ConfigProblem, formatConfigPath } from './configError.ts';
import { durationMsOf, formatDuration } from './duration.ts';
import { suggestName } from './findNearestName.ts';
import { type Section, sectionOf } from './isSection.ts';
import { retryDefaults, timeoutDefaults } from './sections/subgraphs.ts';

/** Checks the names, addresses and times of subgraphs, which several sections decide together. */
export function checkSubgraphs(supergraph: Section, subgraphs: Section): ConfigProblem[] {
  return [
    ...checkNames(supergraph, subgraphs),
    ...checkAddresses(supergraph, subgraphs),
    ...checkTimeouts(subgraphs),
    ...checkRetries(subgraphs),
    ...checkUrls(subgraphs),
  ];
}

function checkNames(supergraph: Section, subgraphs: Section): ConfigProblem[] {
  if (!Array.isArray(supergraph.subgraphs)) return [];
  const problems: ConfigProblem[] = [];
  const names = new Set<string>();
  supergraph.subgraphs.forEach((entry: unknown, index) => {
    const { name } = sectionOf(entry);
    if (typeof name !== 'string') return;
    if (names.has(name)) {
      problems.push({
        path: formatConfigPath(['supergraph', 'subgraphs', index, 'name']),
        message: `is ${JSON.stringify(name)}, which is already used`,
        expected: 'unique names',
      });
    }
    names.add(name);
  });
  for (const name of Object.keys(subgraphs)) {
    if (name === 'all' || names.has(name)) continue;
    const suggestion = suggestName(name, ['all', ...names]);
    problems.push({
      path: formatConfigPath(['subgraphs', name]),
      message: `is not one of supergraph.subgraphs${suggestion}`,
      expected: suggestion === '' ? ['all', ...names].join(', ') : '',
    });
  }
  return problems;
}

/** The address of a subgraph is in the supergraph, in logs and in `GET /supergraph`. */
function checkAddresses(supergraph: Section, subgraphs: Section): ConfigProblem[] {
  const composed = Array.isArray(supergraph.subgraphs) ? supergraph.subgraphs : [];
  const addresses = [
    ...composed.map((entry: unknown, index) => [['supergraph', 'subgraphs', index], entry] as const),
    ...Object.entries(subgraphs).map(([name, entry]) => [['subgraphs', name], entry] as const),
  ];
  return addresses
    .flatMap(([path, entry]) => {
      const { url, urls } = sectionOf(entry);
      const several = Array.isArray(urls) ? urls : [];
      return [
        { path: [...path, 'url'], address: url },
        ...several.map((address: unknown, n) => ({ path: [...path, 'urls', n], address })),
      ];
    })
    .filter(
      ({ address }) => typeof address === 'string' && /^https?:/i.test(address) && hasCredentials(address),
    )
    .map(({ path }) => ({
      path: formatConfigPath(path),
      message: 'has a user name or a password',
      expected:
        'an address without them: use headers instead, such as `authorization` of clients (headers.forward) or of a proxy in front of the subgraph',
    }));
}

function checkTimeouts(subgraphs: Section): ConfigProblem[] {
  const timeoutsOf = (name: string) => sectionOf(sectionOf(subgraphs[name]).timeouts);
  const requestDeadline =
    durationMsOf(timeoutsOf('all').deadline) ?? durationMsOf(timeoutDefaults.deadline) ?? 0;
  return Object.keys({ all: {}, ...subgraphs }).flatMap((name) => {
    const deadline = durationMsOf(timeoutsOf(name).deadline) ?? requestDeadline;
    const problems = checkOrder(subgraphs, name, {
      section: 'timeouts',
      keys: ['attempt', 'deadline'],
      defaults: timeoutDefaults,
      expected: 'an attempt that is no longer than the deadline',
    });
    if (deadline <= requestDeadline) return problems;
    return [
      {
        path: formatConfigPath(['subgraphs', name, 'timeouts', 'deadline']),
        message: `is ${formatDuration(deadline)}, longer than the deadline of the whole request`,
        expected: `at most subgraphs.all.timeouts.deadline, ${formatDuration(requestDeadline)}`,
      },
      ...problems,
    ];
  });
}

function checkRetries(subgraphs: Section): ConfigProblem[] {
  return Object.keys({ all: {}, ...subgraphs }).flatMap((name) =>
    checkOrder(subgraphs, name, {
      section: 'retry',
      keys: ['minDelay', 'maxDelay'],
      defaults: retryDefaults,
      expected: 'a minDelay that is no longer than maxDelay, such as 50ms and 1s',
    }),
  );
}

/** Two durations of a subgraph, the first of which must not be longer than the second. */
interface DurationOrder<Key extends string> {
  readonly section: string;
  readonly keys: readonly [Key, Key];
  readonly defaults: Readonly<Record<Key, string>>;
  readonly expected: string;
}

/** Checks two durations of a subgraph with those that it inherits from `all`. Reported where it sets one of them. */
function checkOrder<Key extends string>(
  subgraphs: Section,
  name: string,
  { section, keys: [short, long], defaults, expected }: DurationOrder<Key>,
): ConfigProblem[] {
  const own = sectionOf(sectionOf(subgraphs[name])[section]);
  const all = sectionOf(sectionOf(subgraphs.all)[section]);
  const msOf = (key: Key) =>
    durationMsOf(own[key]) ?? durationMsOf(all[key]) ?? durationMsOf(defaults[key]) ?? 0;
  const ownKey = own[short] === undefined ? long : short;
  if (msOf(short) <= msOf(long) || own[ownKey] === undefined) return [];
  return [
    {
      path: formatConfigPath(['subgraphs', name, section, ownKey]),
      message: `conflicts: ${short} is ${formatDuration(msOf(short))}, ${long} is ${formatDuration(msOf(long))}`,
      expected,
    },
  ];
}

function checkUrls(subgraphs: Section): ConfigProblem[] {
  return Object.keys(subgraphs).flatMap((name) => {
    const { url, urls } = sectionOf(subgraphs[name]);
    if (url === undefined || urls === undefined) return [];
    return [
      {
        path: formatConfigPath(['subgraphs', name]),
        message: 'has both `url` and `urls`',
        expected: 'either `url`, or `urls` with all addresses',
      },
    ];
  });
}

import { hasCredentials } from './addressSecrets.ts';
import { checkOrder } from './checkOrder.ts';
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
    const problems = checkOrder(timeoutsOf(name), ['subgraphs', name, 'timeouts'], ['attempt', 'deadline'], {
      ...timeoutDefaults,
      ...timeoutsOf('all'),
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
  const retryOf = (name: string) => sectionOf(sectionOf(subgraphs[name]).retry);
  return Object.keys({ all: {}, ...subgraphs }).flatMap((name) =>
    checkOrder(retryOf(name), ['subgraphs', name, 'retry'], ['minDelay', 'maxDelay'], {
      ...retryDefaults,
      ...retryOf('all'),
    }),
  );
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

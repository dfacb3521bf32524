import { durationMsOf } from '../../config/duration.ts';
import { sectionOf } from '../../config/isSection.ts';
import type { ConfigDraft } from './configDraft.ts';
import {
  asDuration,
  bySubgraph,
  note,
  section,
  type Translate,
  to,
  toSubgraph,
  unless,
  unneeded,
} from './routerOptions.ts';

const subgraphTimeouts = (name: string): Record<string, Translate> => ({
  timeout: toSubgraph(name, 'timeouts.attempt', asDuration),
  deduplicate_query:
    name === 'all'
      ? to('batching.acrossRequests')
      : unless([true], 'batching.acrossRequests is for all subgraphs'),
  experimental_http2: (value, source, draft) => {
    if (value === 'http2only') draft.note(source, 'HTTP/2 is used where an https subgraph offers it');
    else draft.set(['subgraphs', name, 'http2'], value === 'disable' ? 'off' : 'auto', source);
  },
  global_rate_limit: note('a number of calls at a time limits them instead: subgraphs.all.concurrency.max'),
  dns_resolution_strategy: unneeded,
});

const deadlinePath = ['subgraphs', 'all', 'timeouts', 'deadline'];
const attemptPath = (name: string): readonly string[] => ['subgraphs', name, 'timeouts', 'attempt'];

/** Apollo Router waits 30 s for a call and for a request, which is longer than the defaults of the gateway. */
export function setDefaultTimeouts(draft: ConfigDraft): void {
  draft.set(attemptPath('all'), '30s', 'traffic_shaping.all.timeout');
  draft.set(deadlinePath, '30s', 'traffic_shaping.router.timeout');
}

/** Replaces attempts that are longer than the deadline, which the gateway refuses, by the deadline. */
export function limitAttempts(shaping: unknown, draft: ConfigDraft): void {
  const { all, subgraphs } = sectionOf(shaping);
  const deadline = draft.get(deadlinePath);
  const deadlineMs = durationMsOf(deadline);
  const isDefault = sectionOf(all).timeout === undefined;
  for (const name of ['all', ...Object.keys(sectionOf(subgraphs))]) {
    const attempt = draft.get(attemptPath(name));
    const attemptMs = durationMsOf(attempt);
    // The value of a variable is unknown here. The default must not be longer than it.
    const isLonger =
      deadlineMs === undefined
        ? name === 'all' && isDefault
        : attemptMs !== undefined && attemptMs > deadlineMs;
    if (!isLonger) continue;
    const source = `traffic_shaping.${name === 'all' ? 'all' : `subgraphs.${name}`}.timeout`;
    draft.set(attemptPath(name), deadline, source);
    if (name !== 'all' || !isDefault)
      draft.note(
        source,
        `${attempt} is longer than a request may take: ${deadline} (traffic_shaping.router.timeout)`,
      );
  }
}

/** Translates `traffic_shaping` of Apollo Router. */
export const translateTrafficShaping: Translate = (value, source, draft) => {
  const { router, deduplicate_variables: _, connector, ...subgraphs } = sectionOf(value);
  if (connector !== undefined) draft.note(`${source}.connector`, 'connectors are not executed');
  bySubgraph(subgraphTimeouts)(subgraphs, source, draft);
  const { timeout, ...others } = sectionOf(router);
  if (timeout !== undefined)
    to(deadlinePath.join('.'), asDuration)(timeout, `${source}.router.timeout`, draft);
  section({
    concurrency_limit: note('the gateway sheds load by measured delays instead: docs/overload.md'),
    global_rate_limit: note('limits.rate.cost counts for each client'),
  })(others, `${source}.router`, draft);
};

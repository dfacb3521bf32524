/** `breaking` fails a check. `dangerous` fails a check with `--strict` only. `safe` is reported for information.
 *  `undecided`: the check lacked something, such as the answer of a subgraph. `misuse`: a mistake in the store or in the
 *  arguments. */
export type Severity = 'breaking' | 'dangerous' | 'safe' | 'undecided' | 'misuse';

/** Worst first. `misuse` leads because nothing else can be trusted while the store itself is wrong. */
export const severitiesWorstFirst: readonly Severity[] = [
  'misuse',
  'breaking',
  'undecided',
  'dangerous',
  'safe',
];

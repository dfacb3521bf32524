import type { LoadingMode } from './routes.ts';

interface ModeWords {
  readonly name: string;
  readonly explanation: string;
}

/** The modes in the order in which the page offers them. */
export const modes: Readonly<Record<LoadingMode, ModeWords>> = {
  wait: { name: 'Wait for everything', explanation: 'One response, when the slowest part is ready.' },
  graph: { name: 'The graph decides', explanation: 'Slow fields have a budget and follow later.' },
  page: { name: 'The page decides', explanation: 'The query defers its slow parts with @defer.' },
};

export const modeNames = Object.keys(modes) as LoadingMode[];

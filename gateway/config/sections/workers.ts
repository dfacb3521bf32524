import { duration, scalar } from '../scalars.ts';

/** More than the cores of any machine: of a port or another number in the wrong place, the supervisor would start processes
 *  until the system has no room for any other. */
const maxWorkers = 1_024;

export const workersSection = scalar<number | string, number | 'auto'>({
  title: 'integer, or auto',
  expected: `a whole number from 1 to ${maxWorkers}, or auto`,
  read: (input) => {
    if (input === 'auto') return 'auto';
    const count = typeof input === 'string' && /^\d+$/.test(input) ? Number(input) : input;
    const isValid = typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= maxWorkers;
    return isValid ? count : undefined;
  },
  editorSchemas: [{ type: 'integer', minimum: 1, maximum: maxWorkers }, { enum: ['auto'] }],
}).describe(
  'Number of processes that share the port; `auto` starts one for each CPU. `--workers` overrides it. Several processes need a temporary directory (`TMPDIR`) for the sockets between them.',
);

export const workerTimeoutSection = duration()
  .refine((ms) => ms === 0 || ms >= 1_000, {
    error: 'a duration of at least 1s, such as 30s, or 0s for no limit',
  })
  .describe(
    'With `workers`: a worker that does not respond to its supervisor for this long, because it is stopped or its event loop is blocked, is killed and replaced. To start, it has at least a minute. At least 1s; `0s`: never, for example while you debug a worker.',
  );

import { duration, scalar } from '../scalars.ts';

export const workersSection = scalar<number | string, number | 'auto'>({
  title: 'integer, or auto',
  expected: 'a whole number of at least 1, or auto',
  read: (input) => {
    if (input === 'auto') return 'auto';
    const count = typeof input === 'string' && /^\d+$/.test(input) ? Number(input) : input;
    return typeof count === 'number' && Number.isInteger(count) && count >= 1 ? count : undefined;
  },
  editorSchemas: [{ type: 'integer', minimum: 1 }, { enum: ['auto'] }],
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

import { scalar } from '../scalars.ts';

export const workersSection = scalar<number | string, number | 'auto'>({
  title: 'whole number, or auto',
  expected: 'a whole number of at least 1, or auto',
  read: (input) => {
    if (input === 'auto') return 'auto';
    const count = typeof input === 'string' && /^\d+$/.test(input) ? Number(input) : input;
    return typeof count === 'number' && Number.isInteger(count) && count >= 1 ? count : undefined;
  },
  editorSchemas: [{ type: 'integer', minimum: 1 }, { enum: ['auto'] }],
}).describe(
  'Processes that share the port; `auto` starts one per processor. `--workers` overrides it. Several need a directory for temporary files (`TMPDIR`), where they have sockets for each other.',
);

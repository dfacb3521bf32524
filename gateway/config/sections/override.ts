import { z } from 'zod';
import { scalar } from '../scalars.ts';

const percentage = scalar<number | boolean | string, number>({
  title: 'percentage',
  expected: 'a percentage from 0 to 100, true or false',
  read: (input) => {
    if (input === true || input === 'true') return 100;
    if (input === false || input === 'false') return 0;
    const value = typeof input === 'string' && /^\d+(\.\d+)?$/.test(input.trim()) ? Number(input) : input;
    return typeof value === 'number' && value >= 0 && value <= 100 ? value : undefined;
  },
  editorSchemas: [{ type: 'number', minimum: 0, maximum: 100 }, { type: 'boolean' }],
});

export const overrideSection = z
  .strictObject({
    labels: z
      .record(z.string(), percentage)
      .meta({ title: 'percentage by label' })
      .describe(
        'Percentage of requests or clients for which a label is active; `true` for all, `false` for none. A label `percent(…)` needs no entry, but an entry overrides it. Any other label without an entry is inactive.',
      )
      .prefault({}),
  })
  .describe(
    'Progressive `@override`: for which requests a field is resolved by the subgraph that overrides it.',
  );

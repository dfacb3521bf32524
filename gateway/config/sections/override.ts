import { z } from 'zod';
import { scalar } from '../scalars.ts';
import { headerName } from './headerName.ts';

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
    identityHeader: headerName
      .describe(
        'Client header whose value decides, so that one client always gets the same side, on every process and after a restart. A request without it decides for itself, as every request does where this is left out. A client chooses its side where it chooses the value: let something in front of the gateway set it.',
      )
      .optional(),
    labels: z
      .record(z.string(), percentage)
      .meta({ title: 'percentage by label' })
      .describe(
        'How many requests or clients a label is on for: a percentage, `true` for all, `false` for none. `percent(…)` needs no entry, and one given here wins over it; any other label without an entry is off.',
      )
      .prefault({}),
  })
  .describe('Progressive `@override`: for whom a field comes from the subgraph that takes it over.');

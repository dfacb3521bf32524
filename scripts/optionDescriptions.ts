import { type ConfigJsonSchema, createConfigJsonSchema } from '../gateway/config/configJsonSchema.ts';

const plainOptions = 'export type GatewayOptions = DeepReadonly<z.input<typeof gatewaySchema>>;';

/** Adds the descriptions of the configuration to the declaration of its types, `schema.d.ts`, so that editors show them.
 *  The type stays the same: the descriptions are in a type of unknown values, which is intersected with it.
 *  @throws {Error} if the declaration is not as expected. */
export function describeOptions(declaration: string): string {
  if (!declaration.includes(plainOptions)) throw new Error(`schema.d.ts does not have: ${plainOptions}`);
  const described = plainOptions.replace(';', ' & OptionDescriptions;');
  return `${declaration.replace(plainOptions, described)}interface OptionDescriptions ${printType(createConfigJsonSchema(), '')}\n`;
}

function printType(
  { properties, additionalProperties: named, items }: ConfigJsonSchema,
  indent: string,
): string {
  if (items !== undefined)
    return items.properties === undefined ? 'unknown' : `readonly ${printType(items, indent)}[]`;
  const entries = Object.entries(properties ?? {}).map(([key, schema]) => [`${key}?`, schema] as const);
  const all = typeof named === 'object' ? [...entries, ['[name: string]', named] as const] : entries;
  if (all.length === 0) return 'unknown';
  const inner = `${indent}    `;
  const lines = all.map(
    ([key, schema]) =>
      `${printComment(schema, inner)}${inner}readonly ${key}: ${printType(schema, inner)} | undefined;\n`,
  );
  return `{\n${lines.join('')}${indent}}`;
}

function printComment({ description = '', default: value }: ConfigJsonSchema, indent: string): string {
  const isShown = value !== undefined && (Array.isArray(value) || typeof value !== 'object');
  const text = [description, ...(isShown ? [`Default: \`${JSON.stringify(value)}\`.`] : [])].join(' ').trim();
  return text === '' ? '' : `${indent}/** ${text.replaceAll('*/', '*\\/')} */\n`;
}

import { z } from 'zod';
import { gatewaySchema } from './schema.ts';

/** What this file reads of a JSON Schema. */
export interface ConfigJsonSchema {
  readonly title?: string;
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, ConfigJsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | ConfigJsonSchema;
  readonly items?: ConfigJsonSchema;
  readonly anyOf?: readonly ConfigJsonSchema[];
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
}

/** The JSON Schema of a configuration file, for editors. */
export function createConfigJsonSchema(): ConfigJsonSchema {
  // Values are read by functions of ours, which JSON Schema cannot hold; each scalar brings its own form.
  const schema = z.toJSONSchema(gatewaySchema, { io: 'input', unrepresentable: 'any' });
  return { ...(schema as ConfigJsonSchema) };
}

/** The keys that the schema knows at a path; empty where any key is taken. */
export function knownKeysAt(path: readonly PropertyKey[]): string[] {
  let schema: ConfigJsonSchema | undefined = createConfigJsonSchema();
  for (const part of path) schema = childSchemaOf(schema, part);
  return Object.keys(schema?.properties ?? {});
}

/** The schema of one key of a section or of a list's entries; `undefined` where there is none. */
export function childSchemaOf(
  schema: ConfigJsonSchema | undefined,
  key: PropertyKey,
): ConfigJsonSchema | undefined {
  if (typeof key === 'number') return schema?.items;
  const properties = schema?.properties ?? {};
  if (Object.hasOwn(properties, key)) return properties[String(key)];
  const others = schema?.additionalProperties;
  return typeof others === 'object' ? others : undefined;
}

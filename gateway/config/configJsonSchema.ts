import { z } from 'zod';
import { gatewaySchema } from './schema.ts';

/** The parts of a JSON Schema that the gateway reads. */
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

let configJsonSchema: ConfigJsonSchema | undefined;

/** The JSON Schema of a configuration file, for editors. */
export function createConfigJsonSchema(): ConfigJsonSchema {
  // Each problem of a configuration looks up the schema of its option.
  configJsonSchema ??= convertSchema();
  return configJsonSchema;
}

function convertSchema(): ConfigJsonSchema {
  // Scalars are parsed by functions, which JSON Schema cannot represent. Each scalar provides its own JSON Schema.
  const schema = z.toJSONSchema(gatewaySchema, { io: 'input', unrepresentable: 'any' });
  return { ...(schema as ConfigJsonSchema) };
}

/** The known keys of the section at a path; empty if the section accepts any key. */
export function knownKeysAt(path: readonly PropertyKey[]): string[] {
  return Object.keys(schemaAt(path)?.properties ?? {});
}

/** The schema of the option at a path; `undefined` if there is none. */
export function schemaAt(path: readonly PropertyKey[]): ConfigJsonSchema | undefined {
  return path.reduce<ConfigJsonSchema | undefined>(childSchemaOf, createConfigJsonSchema());
}

/** The schema of a key in a section, or of the entries of a list; `undefined` if there is none. */
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

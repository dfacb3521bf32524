import {
  type DocumentNode,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import { suggestName } from '../config/findNearestName.ts';
import type { EnrichmentPriority, EnrichmentRule } from '../operation/enrichmentRule.ts';
import { findNonDeferrableFields } from './findNonDeferrableFields.ts';
import { type DeclaredEnrichment, readEnrichmentDirectives } from './readEnrichmentDirectives.ts';

/** The options of the section `enrichment` that declare rules. */
export interface ConfiguredEnrichments {
  /** By coordinate. Budgets are in milliseconds. */
  readonly fields: Readonly<
    Record<
      string,
      { readonly budget?: number | undefined; readonly priority?: EnrichmentPriority | undefined }
    >
  >;
  /** Budget of fields that declare none, in milliseconds. */
  readonly budget: number;
}

/** The enrichments of one supergraph. */
export interface EnrichmentRules {
  readonly isEmpty: boolean;
  /** The rule of a field that is selected on an object type or interface: the same object for every call, with the
   *  coordinate of that type. A type without a declaration inherits those of its interfaces. An interface without a
   *  declaration has a rule if all its object types have one. Of several declarations, the smallest budget and the
   *  highest priority count. */
  ruleOf(parentTypeName: string, fieldName: string): EnrichmentRule | undefined;
}

interface EnrichmentRulesOptions {
  readonly document: DocumentNode;
  readonly apiSchema: GraphQLSchema;
  readonly configured: ConfiguredEnrichments;
}

export interface EnrichmentRulesResult {
  readonly rules: EnrichmentRules;
  /** Invalid uses of `@enrichment`: reasons to refuse the supergraph. */
  readonly problems: readonly string[];
  /** Keys of `enrichment.fields` that the API schema lacks, and which part is missing. */
  readonly unknown: readonly { readonly key: string; readonly reason: string }[];
  /** Enrichments without effect, each with the reason. */
  readonly warnings: readonly string[];
}

type TypeWithFields = GraphQLObjectType | GraphQLInterfaceType;

/** Reads the rules of a supergraph and of the configuration. At the same field, the configuration overrides the
 *  directive, argument by argument. */
export function readEnrichmentRules(options: EnrichmentRulesOptions): EnrichmentRulesResult {
  const { document, apiSchema, configured } = options;
  const { uses, problems } = readEnrichmentDirectives(document);
  const stricter = createStricterOfTwo(configured.budget);
  const declared = new Map<string, DeclaredEnrichment>();
  for (const { coordinate, ...use } of uses) {
    // Inaccessible fields are not in the API schema.
    if (describeMissingField(apiSchema, coordinate) !== undefined) continue;
    const earlier = declared.get(coordinate);
    declared.set(coordinate, earlier === undefined ? use : stricter(earlier, use));
  }
  const unknown: { key: string; reason: string }[] = [];
  for (const [coordinate, { budget, priority }] of Object.entries(configured.fields)) {
    const missing = describeMissingField(apiSchema, coordinate);
    if (missing !== undefined) {
      unknown.push({ key: coordinate, reason: missing });
      continue;
    }
    const directive = declared.get(coordinate);
    declared.set(coordinate, {
      budgetMs: budget ?? directive?.budgetMs,
      priority: priority ?? directive?.priority,
    });
  }
  const warnings = [
    ...removeIneffective(apiSchema, declared),
    ...warnAboutNonDeferrable(apiSchema, declared),
  ];
  return {
    rules: new SupergraphEnrichmentRules(apiSchema, declared, stricter),
    problems,
    unknown,
    warnings,
  };
}

function describeMissingField(schema: GraphQLSchema, coordinate: string): string | undefined {
  const [typeName = '', fieldName = ''] = coordinate.split('.');
  const type = schema.getType(typeName);
  if (!hasFields(type)) {
    const names = Object.values(schema.getTypeMap()).flatMap((other) =>
      hasFields(other) ? [other.name] : [],
    );
    return `there is no object type or interface ${typeName}${suggestName(typeName, names)}`;
  }
  const fields = type.getFields();
  if (Object.hasOwn(fields, fieldName)) return undefined;
  return `${typeName} has no field ${fieldName}${suggestName(fieldName, Object.keys(fields))}`;
}

function hasFields(type: unknown): type is TypeWithFields {
  return isObjectType(type) || isInterfaceType(type);
}

/** Removes declarations on fields of mutations and subscriptions. Returns a warning for each. */
function removeIneffective(schema: GraphQLSchema, declared: Map<string, DeclaredEnrichment>): string[] {
  const reasons = new Map([
    [schema.getMutationType()?.name, 'a mutation answers when it is complete'],
    [schema.getSubscriptionType()?.name, 'a subscription waits for the event itself'],
  ]);
  return [...declared.keys()].flatMap((coordinate) => {
    const reason = reasons.get(coordinate.split('.')[0]);
    if (reason === undefined) return [];
    declared.delete(coordinate);
    return [`${coordinate}: an enrichment has no effect here, because ${reason}`];
  });
}

function warnAboutNonDeferrable(
  schema: GraphQLSchema,
  declared: ReadonlyMap<string, DeclaredEnrichment>,
): string[] {
  return findNonDeferrableFields(schema, [...declared.keys()]).map(
    (coordinate) =>
      `${coordinate}: every answer waits for this enrichment, because neither the field nor any position on the path to it is nullable`,
  );
}

type StricterOfTwo = (a: DeclaredEnrichment, b: DeclaredEnrichment) => DeclaredEnrichment;

const prioritiesByUrgency: readonly EnrichmentPriority[] = ['CRITICAL', 'NORMAL', 'BACKGROUND'];

function createStricterOfTwo(defaultBudgetMs: number): StricterOfTwo {
  return (a, b) => {
    const priorities = [a.priority ?? 'NORMAL', b.priority ?? 'NORMAL'];
    return {
      budgetMs: (a.budgetMs ?? defaultBudgetMs) <= (b.budgetMs ?? defaultBudgetMs) ? a.budgetMs : b.budgetMs,
      priority: prioritiesByUrgency.find((priority) => priorities.includes(priority)),
    };
  };
}

class SupergraphEnrichmentRules implements EnrichmentRules {
  readonly isEmpty: boolean;
  /** By type name and field name. */
  readonly #rules = new Map<string, Map<string, EnrichmentRule>>();
  readonly #schema: GraphQLSchema;
  readonly #declared: ReadonlyMap<string, DeclaredEnrichment>;
  readonly #stricterOfTwo: StricterOfTwo;

  constructor(
    schema: GraphQLSchema,
    declared: ReadonlyMap<string, DeclaredEnrichment>,
    stricter: StricterOfTwo,
  ) {
    this.#schema = schema;
    this.#declared = declared;
    this.#stricterOfTwo = stricter;
    this.isEmpty = declared.size === 0;
    if (this.isEmpty) return;
    const fieldNames = new Set(Array.from(declared.keys(), (coordinate) => coordinate.split('.')[1] ?? ''));
    const ignoredRoots = [schema.getMutationType(), schema.getSubscriptionType()];
    for (const type of Object.values(schema.getTypeMap())) {
      if (hasFields(type) && !ignoredRoots.some((root) => root === type)) this.#add(type, fieldNames);
    }
  }

  ruleOf(parentTypeName: string, fieldName: string): EnrichmentRule | undefined {
    return this.#rules.get(parentTypeName)?.get(fieldName);
  }

  #add(type: TypeWithFields, fieldNames: ReadonlySet<string>): void {
    const rules = new Map<string, EnrichmentRule>();
    for (const name of Object.keys(type.getFields())) {
      const found = fieldNames.has(name) ? this.#find(type, name) : undefined;
      if (found === undefined) continue;
      const { budgetMs, priority = 'NORMAL' } = found;
      rules.set(name, { coordinate: `${type.name}.${name}`, budgetMs, priority });
    }
    if (rules.size > 0) this.#rules.set(type.name, rules);
  }

  #find(type: TypeWithFields, field: string): DeclaredEnrichment | undefined {
    const declared = this.#declaredFor(type, field);
    if (declared !== undefined || isObjectType(type)) return declared;
    const objectTypes = this.#schema.getPossibleTypes(type);
    const declarations = objectTypes.flatMap((objectType) => this.#declaredFor(objectType, field) ?? []);
    return declarations.length === objectTypes.length ? this.#strictestOf(declarations) : undefined;
  }

  #declaredFor(type: TypeWithFields, field: string): DeclaredEnrichment | undefined {
    const inherited = () =>
      type.getInterfaces().flatMap(({ name }) => this.#declared.get(`${name}.${field}`) ?? []);
    return this.#declared.get(`${type.name}.${field}`) ?? this.#strictestOf(inherited());
  }

  #strictestOf(declarations: readonly DeclaredEnrichment[]): DeclaredEnrichment | undefined {
    const [first, ...others] = declarations;
    return first && others.reduce(this.#stricterOfTwo, first);
  }
}

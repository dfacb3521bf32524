import {
  type DocumentNode,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import type { EnrichmentPriority, EnrichmentRule } from '../operation/enrichmentRule.ts';
import { findNonDeferrableFields } from './findNonDeferrableFields.ts';
import { type DeclaredEnrichment, readEnrichmentDirectives } from './readEnrichmentDirectives.ts';

/** What of the configuration's section `enrichment` makes rules. */
export interface ConfiguredEnrichments {
  /** By coordinate; budgets in milliseconds. */
  readonly fields: Readonly<
    Record<
      string,
      { readonly budget?: number | undefined; readonly priority?: EnrichmentPriority | undefined }
    >
  >;
  /** Of fields that say nothing else, in milliseconds. */
  readonly budget: number;
}

/** Which fields of one supergraph may come late. */
export interface EnrichmentRules {
  readonly isEmpty: boolean;
  /** The rule of a field that is selected on an object type or interface: the same object each time, with this very
   *  coordinate. What is written for an interface's field holds for the types that implement it, unless they have
   *  their own; an interface for which nothing is written has a rule where all its object types have one. Of several,
   *  the smallest budget and the highest priority. */
  ruleOf(parentTypeName: string, fieldName: string): EnrichmentRule | undefined;
}

interface EnrichmentRulesOptions {
  /** The supergraph. */
  readonly document: DocumentNode;
  readonly apiSchema: GraphQLSchema;
  readonly configured: ConfiguredEnrichments;
}

export interface EnrichmentRulesResult {
  readonly rules: EnrichmentRules;
  /** Uses of `@enrichment` that cannot be read: reasons to refuse the supergraph. */
  readonly problems: readonly string[];
  /** Coordinates of the configuration that the API schema does not have, each with what is not there. */
  readonly unknownCoordinates: readonly string[];
  /** Fields that will never come late, each with the reason. */
  readonly warnings: readonly string[];
}

type TypeWithFields = GraphQLObjectType | GraphQLInterfaceType;

/** The rules of a supergraph and of a configuration together. At one field, what the configuration says counts and
 *  not the directive; what it leaves out is the directive's. */
export function readEnrichmentRules(options: EnrichmentRulesOptions): EnrichmentRulesResult {
  const { document, apiSchema, configured } = options;
  const { uses, problems } = readEnrichmentDirectives(document);
  const stricter = createStricterOfTwo(configured.budget);
  const written = new Map<string, DeclaredEnrichment>();
  for (const { coordinate, ...use } of uses) {
    // Clients cannot ask for a field that is inaccessible.
    if (describeMissingField(apiSchema, coordinate) !== undefined) continue;
    const known = written.get(coordinate);
    written.set(coordinate, known === undefined ? use : stricter(known, use));
  }
  const unknown: string[] = [];
  for (const [coordinate, { budget, priority }] of Object.entries(configured.fields)) {
    const absence = describeMissingField(apiSchema, coordinate);
    if (absence !== undefined) {
      unknown.push(absence);
      continue;
    }
    const directive = written.get(coordinate);
    written.set(coordinate, {
      budgetMs: budget ?? directive?.budgetMs,
      priority: priority ?? directive?.priority,
    });
  }
  const warnings = [...removeIneffective(apiSchema, written), ...warnAboutNonDeferrable(apiSchema, written)];
  return {
    rules: new SupergraphEnrichmentRules(apiSchema, written, stricter),
    problems,
    unknownCoordinates: unknown,
    warnings,
  };
}

function describeMissingField(schema: GraphQLSchema, coordinate: string): string | undefined {
  const [typeName = '', fieldName = ''] = coordinate.split('.');
  const type = schema.getType(typeName);
  if (!hasFields(type)) return `there is no object type or interface ${typeName}`;
  return Object.hasOwn(type.getFields(), fieldName) ? undefined : `${typeName} has no field ${fieldName}`;
}

function hasFields(type: unknown): type is TypeWithFields {
  return isObjectType(type) || isInterfaceType(type);
}

/** Removes what stands at root fields that nothing can be late for; returns a warning for each. */
function removeIneffective(schema: GraphQLSchema, written: Map<string, DeclaredEnrichment>): string[] {
  const reasons = new Map([
    [schema.getMutationType()?.name, 'a mutation answers when all of it is done'],
    [schema.getSubscriptionType()?.name, 'the event itself is what a subscription waits for'],
  ]);
  return [...written.keys()].flatMap((coordinate) => {
    const reason = reasons.get(coordinate.split('.')[0]);
    if (reason === undefined) return [];
    written.delete(coordinate);
    return [`${coordinate}: an enrichment is without effect here, since ${reason}`];
  });
}

function warnAboutNonDeferrable(
  schema: GraphQLSchema,
  written: ReadonlyMap<string, DeclaredEnrichment>,
): string[] {
  return findNonDeferrableFields(schema, [...written.keys()]).map(
    (coordinate) =>
      `${coordinate}: an enrichment is always waited for here, since neither the field nor anything on the way to it can be null`,
  );
}

type StricterOfTwo = (one: DeclaredEnrichment, other: DeclaredEnrichment) => DeclaredEnrichment;

const prioritiesByUrgency: readonly EnrichmentPriority[] = ['CRITICAL', 'NORMAL', 'BACKGROUND'];

function createStricterOfTwo(defaultBudgetMs: number): StricterOfTwo {
  return (one, other) => {
    const budgets = [one.budgetMs ?? defaultBudgetMs, other.budgetMs ?? defaultBudgetMs] as const;
    const priorities = [one.priority ?? 'NORMAL', other.priority ?? 'NORMAL'];
    return {
      budgetMs: budgets[0] <= budgets[1] ? one.budgetMs : other.budgetMs,
      priority: prioritiesByUrgency.find((priority) => priorities.includes(priority)),
    };
  };
}

class SupergraphEnrichmentRules implements EnrichmentRules {
  readonly isEmpty: boolean;
  /** By type, by field. */
  readonly #rules = new Map<string, Map<string, EnrichmentRule>>();
  readonly #schema: GraphQLSchema;
  readonly #declared: ReadonlyMap<string, DeclaredEnrichment>;
  readonly #stricterOfTwo: StricterOfTwo;

  constructor(
    schema: GraphQLSchema,
    written: ReadonlyMap<string, DeclaredEnrichment>,
    stricter: StricterOfTwo,
  ) {
    this.#schema = schema;
    this.#declared = written;
    this.#stricterOfTwo = stricter;
    this.isEmpty = written.size === 0;
    if (this.isEmpty) return;
    const fieldNames = new Set(Array.from(written.keys(), (coordinate) => coordinate.split('.')[1] ?? ''));
    const withoutEffect = [schema.getMutationType(), schema.getSubscriptionType()];
    for (const type of Object.values(schema.getTypeMap())) {
      if (hasFields(type) && !withoutEffect.some((root) => root === type)) this.#add(type, fieldNames);
    }
  }

  ruleOf(parentTypeName: string, fieldName: string): EnrichmentRule | undefined {
    return this.#rules.get(parentTypeName)?.get(fieldName);
  }

  #add(type: TypeWithFields, fieldNames: ReadonlySet<string>): void {
    const fields = type.getFields();
    const ofType = new Map<string, EnrichmentRule>();
    for (const name of fieldNames) {
      const found = Object.hasOwn(fields, name) ? this.#find(type, name) : undefined;
      if (found === undefined) continue;
      const { budgetMs, priority = 'NORMAL' } = found;
      ofType.set(name, { coordinate: `${type.name}.${name}`, budgetMs, priority });
    }
    if (ofType.size > 0) this.#rules.set(type.name, ofType);
  }

  #find(type: TypeWithFields, field: string): DeclaredEnrichment | undefined {
    const written = this.#declaredFor(type, field);
    if (written !== undefined || isObjectType(type)) return written;
    const objectTypes = this.#schema.getPossibleTypes(type);
    const below = objectTypes.flatMap((objectType) => this.#declaredFor(objectType, field) ?? []);
    return below.length === objectTypes.length ? this.#strictestOf(below) : undefined;
  }

  #declaredFor(type: TypeWithFields, field: string): DeclaredEnrichment | undefined {
    const above = () =>
      type.getInterfaces().flatMap(({ name }) => this.#declared.get(`${name}.${field}`) ?? []);
    return this.#declared.get(`${type.name}.${field}`) ?? this.#strictestOf(above());
  }

  #strictestOf(several: readonly DeclaredEnrichment[]): DeclaredEnrichment | undefined {
    const [first, ...others] = several;
    return first && others.reduce(this.#stricterOfTwo, first);
  }
}

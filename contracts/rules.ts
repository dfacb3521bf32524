import type { Severity } from './severity.ts';

/** What the checker knows about one rule. `docs/contracts.md` documents every rule; a test compares both. */
interface Rule {
  /** The severity of a finding when the check reports it; several when the details of the change decide. Waivers,
   *  consumers and the rollout order may change it afterwards. */
  readonly severity: Severity | readonly Severity[];
  /** What to do about a finding, unless the finding has more specific advice. */
  readonly advice?: string;
  /** Why a waiver cannot cover the rule, as the end of a sentence. Findings of `misuse`, `undecided` and `safe` cannot be
   *  waived under any rule. */
  readonly unwaivable?: string;
  /** What decides how bad a change of a subgraph is once its consumers are known. `rule`: nothing else, the severity
   *  stands. `plans`: clients do not see the element, so only plans can break. `api`: clients are affected only when
   *  their API schema differs. `access`: a change that lets more clients read the element is `dangerous` and stands;
   *  another is safe unless an operation uses the element. Omitted: the change is safe unless an operation uses the
   *  element. */
  readonly severityFrom?: 'rule' | 'plans' | 'api' | 'access';
  /** Whether a finding can be why an operation fails, although `severityFrom` is neither `plans` nor `api`. */
  readonly breaksOperations?: boolean;
  /** Which side of a rollout a change of a subgraph can break. `loss`: the subgraph serves less or needs more, so plans of
   *  gateways with the old supergraph fail. `gain`: the opposite, so new plans fail on the old subgraph. `addition`: the
   *  change only adds an element, and cannot be why something is missing after the rollout. Omitted: either side. */
  readonly direction?: 'loss' | 'gain' | 'addition';
  /** Whether a change of an element also explains breakages of its members. */
  readonly coversMembers?: boolean;
  /** The rule checks what consumers and operators rely on besides the schema: latency, staleness, caching and deferral. */
  readonly isContractTerm?: boolean;
  /** What a check needs to know of the gateways to find everything that the rule is about. */
  readonly needs?: 'gateway configuration' | 'step latency';
}

type Rules = Readonly<Record<string, Rule>>;

const nothingToDo = 'Nothing to do.';
const subgraphFirst = 'Roll the subgraph out before gateways get the new supergraph.';
const checkCostLimit = 'Check that operations stay below the cost limit.';
const checkReaders = 'Check what reads the directive.';
const followMessage = 'Correct it as the message says.';
const correctYaml = 'Correct the YAML at this location.';
const waiverExample =
  'A waiver has `rule`, `coordinate`, `reason`, `owner`, `expires: 2027-01-31` and, to cover one subgraph only, `subgraph`.';
const keepsOldSupergraph =
  'A running gateway would keep its old supergraph, and a starting one would serve nothing. It cannot be waived.';
/** GraphQL Inspector rates these changes by their details. */
const byDetails = ['breaking', 'dangerous', 'safe'] as const;

/** Mistakes in the store and in the arguments. */
const storeRules = {
  'argument-invalid': { severity: 'misuse' },
  'candidate-unreadable': {
    severity: 'misuse',
    advice: 'Name a file with the SDL of the subgraph, or the URL of a running one.',
  },
  'store-missing': {
    severity: 'misuse',
    advice: 'Make a store with `tributary contracts init`, or name another one with --directory.',
  },
  'store-file-unreadable': {
    severity: 'misuse',
    advice: 'The file must be readable and contain UTF-8 text.',
  },
  'store-file-unknown': {
    severity: 'misuse',
    advice: 'Move or rename the file, or remove it from the store.',
  },
  'revision-unknown': { severity: ['misuse', 'undecided'] },
  'schema-unparseable': { severity: 'misuse', advice: 'Correct the SDL at this location.' },
  'schema-too-large': {
    severity: 'misuse',
    advice:
      'Give the SDL of this subgraph alone, not that of a supergraph. If it is, divide the subgraph: several smaller schemas are checked.',
  },
  'subgraph-name-reserved': { severity: 'misuse', advice: 'Rename the subgraph.' },
  'schema-url-invalid': {
    severity: 'misuse',
    advice: 'Write the whole URL: `# @url https://products.internal/graphql`, or remove the line.',
  },
  'operation-unparseable': {
    severity: 'misuse',
    advice: 'Correct the document, or remove it when no client sends it.',
  },
  'operation-unnamed': {
    severity: 'misuse',
    advice: 'Name the operation, so that findings can say which operation they affect.',
  },
  'operation-duplicate': {
    severity: 'misuse',
    advice: 'Rename one of them, or remove one if both are the same.',
  },
  'fragment-missing': {
    severity: 'misuse',
    advice: 'Put the fragment into the same file: files do not share fragments.',
  },
  'fragment-duplicate': {
    severity: 'misuse',
    advice: 'Rename one of them, or remove one if both are the same.',
  },
  'slo-invalid': {
    severity: 'misuse',
    advice:
      'Write, directly above the operation, `# @slo latency: 200ms`, `# @slo staleness: 1m` or `# @slo mayDefer: Product.recommended`.',
  },
  'waivers-unreadable': { severity: 'misuse', advice: correctYaml },
  'waiver-invalid': {
    severity: 'misuse',
    advice: waiverExample,
  },
  'waiver-incomplete': {
    severity: 'misuse',
    advice: waiverExample,
  },
  'waiver-expired': {
    severity: 'breaking',
    unwaivable: 'a waiver is extended by a later `expires`',
    advice: 'Resolve what the waiver covers, or agree on a later day.',
  },
  'waiver-unused': {
    severity: 'breaking',
    unwaivable: 'a waiver that covers nothing has to be removed',
    advice:
      'Remove the waiver. If it is meant for a finding, its rule, coordinate and subgraph must be those of the finding.',
  },
  'gateway-config-unreadable': { severity: 'misuse', advice: correctYaml },
  'gateway-config-invalid': { severity: 'misuse', advice: followMessage },
  'environments-unreadable': { severity: 'misuse', advice: correctYaml },
  'environment-invalid': {
    severity: 'misuse',
    advice:
      'Write `production: { subgraphs: { products: [v1.4, v1.5] }, gateways: [v1.4] }`, where each version is a Git revision. `gatewayConfig: FILE` and `stepLatency: 40ms` are optional.',
  },
  'environment-unknown': { severity: 'misuse' },
  'version-missing': {
    severity: 'misuse',
    advice: 'Correct environments.yaml: a version is a Git revision of the store that has the contract.',
  },
  'subgraph-unreachable': { severity: 'undecided', advice: 'Start the subgraph, or correct its URL.' },
  'nothing-to-compare': { severity: ['safe', 'undecided'] },
  'baseline-not-composed': {
    severity: 'safe',
    advice:
      'To see what breaks, compare with what runs (--environment) or with an earlier revision (--against).',
  },
} as const satisfies Rules;

/** Changes of one subgraph, rated as far as the subgraph alone can tell. */
// biome-ignore format: a table reads best with one row per rule
const subgraphRules = {
  'subgraph-added': { severity: 'safe', advice: subgraphFirst },
  'subgraph-removed': { severity: 'breaking', severityFrom: 'api', advice: 'Move what operations still use to other subgraphs first; stop the subgraph after every gateway has the new supergraph.' },
  'subgraph-url-changed': { severity: 'safe', advice: 'Keep the subgraph running at the old URL until every gateway has the new supergraph.' },
  'subgraph-unparseable': { severity: 'misuse', severityFrom: 'rule', advice: 'Correct the SDL.' },
  'subgraph-invalid': { severity: 'breaking', severityFrom: 'rule', unwaivable: 'the subgraph does not start, and no supergraph can be composed with it', advice: 'Correct the schema: a subgraph library refuses it, and so does the composer. It cannot be waived.' },

  'type-added': { severity: byDetails, severityFrom: 'api', direction: 'addition', coversMembers: true, advice: nothingToDo },
  'type-removed': { severity: byDetails, severityFrom: 'api', coversMembers: true, advice: 'Keep the type until no operation and no other subgraph uses it.' },
  'type-kind-changed': { severity: byDetails, severityFrom: 'api', coversMembers: true, advice: 'Add a type of another name, and move clients to it.' },
  'field-added': { severity: byDetails, severityFrom: 'api', direction: 'addition', coversMembers: true, advice: subgraphFirst },
  'field-removed': { severity: byDetails, severityFrom: 'api', coversMembers: true, advice: 'Deprecate the field if it is not, and remove it when no operation uses it.' },
  'field-type-changed': { severity: byDetails, severityFrom: 'api', coversMembers: true, advice: 'Add a field of another name with the new type, and deprecate this one.' },
  'external-field-added': { severity: 'safe', severityFrom: 'plans', direction: 'loss', coversMembers: true, advice: nothingToDo },
  'external-field-removed': { severity: 'safe', severityFrom: 'plans', coversMembers: true, advice: 'Nothing to do: the subgraph does not serve external fields.' },
  'external-field-type-changed': { severity: 'safe', severityFrom: 'plans', coversMembers: true, advice: 'Nothing to do: the field has the type of the subgraph that serves it.' },
  'argument-added': { severity: byDetails, severityFrom: 'api', advice: 'Make the argument nullable, or give it a default value.' },
  'argument-removed': { severity: byDetails, severityFrom: 'api', advice: 'Keep the argument and ignore it until no operation passes it.' },
  'argument-type-changed': { severity: byDetails, severityFrom: 'api', advice: 'Add an argument of another name with the new type.' },
  'argument-default-changed': { severity: byDetails, breaksOperations: true, advice: 'Check what clients expect that omit the argument.' },
  'input-field-added': { severity: byDetails, severityFrom: 'api', advice: 'Make the input field nullable, or give it a default value.' },
  'input-field-removed': { severity: byDetails, severityFrom: 'api', advice: 'Keep the input field and ignore it until no operation passes it.' },
  'input-field-type-changed': { severity: byDetails, severityFrom: 'api', advice: 'Add an input field of another name with the new type.' },
  'input-field-default-changed': { severity: byDetails, breaksOperations: true, advice: 'Check what clients expect that omit the input field.' },
  'one-of-added': { severity: 'breaking', severityFrom: 'api', advice: 'Add an input type of another name, and move clients to it that pass several fields, null or nullable variables.' },
  'one-of-removed': { severity: 'safe', severityFrom: 'api', direction: 'gain', advice: subgraphFirst },
  'enum-value-added': { severity: byDetails, severityFrom: 'api', advice: 'Make sure that clients can handle an unknown value.' },
  'enum-value-removed': { severity: byDetails, severityFrom: 'api', advice: 'Keep the value until no operation passes it.' },
  'union-member-added': { severity: byDetails, severityFrom: 'api', advice: 'Make sure that clients can handle an unknown type.' },
  'union-member-removed': { severity: byDetails, severityFrom: 'api', advice: 'Keep the member until no operation selects from it.' },
  'interface-added': { severity: byDetails, severityFrom: 'api', advice: 'Make sure that clients can handle another type of the interface.' },
  'interface-removed': { severity: byDetails, severityFrom: 'api', advice: 'Keep the interface until no operation selects this type through it.' },
  'mutation-type-changed': { severity: byDetails, severityFrom: 'api', coversMembers: true, advice: 'Keep the root type as long as operations use it.' },
  'subscription-type-changed': { severity: byDetails, severityFrom: 'api', coversMembers: true, advice: 'Keep the root type as long as operations use it.' },
  'directive-added': { severity: byDetails, advice: nothingToDo },
  'directive-removed': { severity: byDetails, breaksOperations: true, advice: 'Keep a directive that operations may use. A directive for schemas can be removed.' },
  'directive-location-added': { severity: byDetails, advice: nothingToDo },
  'directive-location-removed': { severity: byDetails, breaksOperations: true, advice: 'Keep locations that operations may use.' },
  'directive-argument-added': { severity: byDetails, breaksOperations: true, advice: 'Make the argument nullable, or give it a default value.' },
  'directive-argument-removed': { severity: byDetails, breaksOperations: true, advice: 'Keep the argument until no operation passes it.' },
  'directive-argument-type-changed': { severity: byDetails, breaksOperations: true, advice: 'Add an argument of another name with the new type.' },
  'directive-argument-default-changed': { severity: byDetails, advice: 'Check what applications of the directive expect that omit the argument.' },
  'directive-repeatable-added': { severity: byDetails, advice: nothingToDo },
  'directive-repeatable-removed': { severity: byDetails, breaksOperations: true, advice: 'Make sure that the directive is not applied twice anywhere.' },
  'deprecation-added': { severity: 'safe', advice: 'Tell its consumers what to use instead.' },
  'deprecation-removed': { severity: 'safe', advice: nothingToDo },
  'deprecation-reason-changed': { severity: 'safe', advice: nothingToDo },

  'key-added': { severity: 'safe', severityFrom: 'plans', direction: 'gain', advice: subgraphFirst },
  'key-removed': { severity: ['breaking', 'dangerous'], severityFrom: 'plans', direction: 'loss', advice: 'Keep the key until no plan of a running gateway uses it.' },
  'key-not-resolvable': { severity: ['breaking', 'dangerous'], severityFrom: 'plans', direction: 'loss', advice: 'Keep the key resolvable until no plan of a running gateway uses it.' },
  'key-resolvable': { severity: 'safe', severityFrom: 'plans', direction: 'gain', advice: subgraphFirst },
  'requires-added': { severity: 'dangerous', severityFrom: 'plans', direction: 'loss', advice: 'Give gateways the new supergraph first: old plans do not send the fields to the subgraph.' },
  'requires-widened': { severity: 'dangerous', severityFrom: 'plans', direction: 'loss', advice: 'Give gateways the new supergraph first: old plans do not send the added fields to the subgraph.' },
  'requires-narrowed': { severity: 'safe', severityFrom: 'plans', direction: 'gain', advice: subgraphFirst },
  'requires-removed': { severity: 'safe', severityFrom: 'plans', direction: 'gain', advice: subgraphFirst },
  'provides-added': { severity: 'safe', severityFrom: 'plans', direction: 'gain', advice: subgraphFirst },
  'provides-widened': { severity: 'safe', severityFrom: 'plans', direction: 'gain', advice: subgraphFirst },
  'provides-narrowed': { severity: 'dangerous', severityFrom: 'plans', direction: 'loss', advice: 'Give gateways the new supergraph first: old plans still select the fields here.' },
  'provides-removed': { severity: 'dangerous', severityFrom: 'plans', direction: 'loss', advice: 'Give gateways the new supergraph first: old plans still select the fields here.' },
  'override-added': { severity: 'safe', severityFrom: 'plans', direction: 'gain', coversMembers: true, advice: subgraphFirst },
  'override-removed': { severity: 'dangerous', severityFrom: 'plans', coversMembers: true, advice: 'Make sure that the other subgraph serves the field again, or has stopped defining it.' },
  'override-from-changed': { severity: 'dangerous', severityFrom: 'plans', coversMembers: true, advice: 'Make sure that the subgraph that is named defines the field.' },
  'override-label-added': { severity: 'dangerous', severityFrom: 'plans', coversMembers: true, advice: 'Make sure that the other subgraph still serves the field.' },
  'override-label-changed': { severity: 'safe', severityFrom: 'plans', coversMembers: true, advice: 'Watch both subgraphs: a different share of the requests moves.' },
  'override-label-removed': { severity: 'safe', severityFrom: 'plans', direction: 'gain', coversMembers: true, advice: 'Make sure that the subgraph can take all requests for the field.' },
  'shareable-added': { severity: 'safe', severityFrom: 'plans', advice: nothingToDo },
  'shareable-removed': { severity: 'dangerous', severityFrom: 'plans', advice: 'Make sure that no other subgraph defines the field.' },
  'external-added': { severity: ['breaking', 'dangerous'], severityFrom: 'plans', direction: 'loss', coversMembers: true, advice: 'Make sure that another subgraph serves the field, and give gateways the new supergraph first.' },
  'external-removed': { severity: 'safe', severityFrom: 'plans', direction: 'gain', coversMembers: true, advice: 'Roll the subgraph out first, and make the field @shareable where other subgraphs define it.' },
  'inaccessible-added': { severity: ['breaking', 'safe'], severityFrom: 'api', coversMembers: true, advice: 'Deprecate it, and hide it when no operation uses it.' },
  'inaccessible-removed': { severity: 'safe', severityFrom: 'api', coversMembers: true, advice: 'Make sure that clients may see it.' },
  'authenticated-added': { severity: ['breaking', 'dangerous'], advice: 'Make sure that every client that uses it is authenticated.' },
  'authenticated-removed': { severity: 'dangerous', severityFrom: 'access', advice: 'Make sure that it may be read without authentication.' },
  'requires-scopes-added': { severity: ['breaking', 'dangerous'], advice: 'Make sure that every client that uses it has the scopes.' },
  'requires-scopes-removed': { severity: 'dangerous', severityFrom: 'access', advice: 'Make sure that it may be read without the scopes.' },
  'requires-scopes-changed': { severity: ['breaking', 'dangerous'], severityFrom: 'access', advice: 'Make sure that every client that uses it has the scopes, and no other client.' },
  'policy-added': { severity: ['breaking', 'dangerous'], advice: 'Make sure that every client that uses it passes the policies.' },
  'policy-removed': { severity: 'dangerous', severityFrom: 'access', advice: 'Make sure that it may be read without the policies.' },
  'policy-changed': { severity: ['breaking', 'dangerous'], severityFrom: 'access', advice: 'Make sure that every client that uses it passes the policies, and no other client.' },
  'cost-raised': { severity: 'dangerous', advice: checkCostLimit },
  'cost-lowered': { severity: 'safe', advice: nothingToDo },
  'list-size-added': { severity: 'dangerous', advice: checkCostLimit },
  'list-size-removed': { severity: 'dangerous', advice: checkCostLimit },
  'list-size-raised': { severity: 'dangerous', advice: checkCostLimit },
  'list-size-lowered': { severity: 'safe', advice: nothingToDo },
  'list-size-changed': { severity: 'dangerous', advice: 'Check that operations stay below the cost limit, and give the slicing arguments.' },
  'tag-added': { severity: 'safe', advice: 'Nothing to do, unless contract variants filter by the tag.' },
  'tag-removed': { severity: 'safe', advice: 'Nothing to do, unless contract variants filter by the tag.' },
  'context-added': { severity: 'safe', severityFrom: 'plans', advice: nothingToDo },
  'context-removed': { severity: 'dangerous', severityFrom: 'plans', advice: 'Remove the @fromContext that use it first.' },
  'from-context-added': { severity: ['breaking', 'dangerous'], severityFrom: 'plans', advice: 'Give gateways the new supergraph first: old plans do not pass the argument.' },
  'from-context-removed': { severity: ['breaking', 'dangerous'], severityFrom: 'plans', advice: 'Clients have to pass the argument now: make it nullable.' },
  'from-context-changed': { severity: 'dangerous', severityFrom: 'plans', advice: 'Give gateways the new supergraph first: old plans pass the old value.' },
  'interface-object-added': { severity: 'dangerous', severityFrom: 'plans', coversMembers: true, advice: 'Keep resolving __typename for gateways that have the old supergraph.' },
  'interface-object-removed': { severity: ['breaking', 'dangerous'], severityFrom: 'plans', coversMembers: true, advice: 'Keep the interface object until no plan of a running gateway uses it.' },
  'compose-directive-added': { severity: 'safe', severityFrom: 'plans', advice: nothingToDo },
  'compose-directive-removed': { severity: 'dangerous', severityFrom: 'plans', advice: 'Keep composing the directive where the gateway reads it.' },
  'federation-version-changed': { severity: ['dangerous', 'safe'], severityFrom: 'plans', advice: 'Compose before rolling out: in Federation 1 every field may be shared.' },
  'custom-directive-added': { severity: ['dangerous', 'safe'], advice: checkReaders },
  'custom-directive-removed': { severity: ['dangerous', 'safe'], advice: checkReaders },
  'custom-directive-changed': { severity: ['dangerous', 'safe'], advice: checkReaders },

  'cached-invalid': { severity: 'breaking', severityFrom: 'rule', advice: 'Correct the value: a gateway refuses a supergraph with it.' },
  'cached-added': { severity: ['dangerous', 'safe'], advice: 'Check that every client may see the same value, or use scope: PRIVATE.' },
  'cached-removed': { severity: 'safe', advice: 'Make sure that the subgraph can take the requests that the cache has answered.' },
  'cached-max-age-raised': { severity: 'dangerous', advice: 'Check how old a value consumers accept.' },
  'cached-max-age-lowered': { severity: 'safe', advice: 'Make sure that the subgraph can take more requests.' },
  'cached-stale-raised': { severity: 'dangerous', advice: 'Check how old a value consumers accept.' },
  'cached-stale-lowered': { severity: 'safe', advice: nothingToDo },
  'cached-made-public': { severity: 'breaking', severityFrom: 'rule', advice: 'Keep the scope PRIVATE: clients would get values of other clients.' },
  'cached-made-private': { severity: 'safe', advice: 'Make sure that the subgraph can take more requests.' },
  'cached-tags-changed': { severity: ['dangerous', 'safe'], advice: 'Invalidate by the remaining tags.' },
  'enrichment-invalid': { severity: 'breaking', severityFrom: 'rule', advice: 'Correct the value: a gateway refuses a supergraph with it.' },
  'enrichment-added': { severity: ['dangerous', 'safe'], advice: 'Make sure that clients do not need the field in the first response.' },
  'enrichment-removed': { severity: 'dangerous', advice: 'Check that the first response does not become too slow.' },
  'enrichment-changed': { severity: 'safe', advice: nothingToDo },
} as const satisfies Rules;

/** The composed graph, its consumers and the rollout. */
const graphRules = {
  'composition-error': {
    severity: ['breaking', 'dangerous'],
    unwaivable: 'without a supergraph nothing else can be checked or published',
    advice:
      'No supergraph can be composed with this change: change the schema until the composer accepts it. It cannot be waived.',
  },
  'composition-hint': {
    severity: ['dangerous', 'safe'],
    advice: 'Check whether the subgraphs mean the same here. If the hint is right, make them agree.',
  },
  'supergraph-refused': {
    severity: ['breaking', 'misuse', 'dangerous'],
    unwaivable: 'no gateway loads the supergraph',
    advice: keepsOldSupergraph,
  },
  'boot-failed': {
    severity: 'breaking',
    unwaivable: 'no gateway starts on the supergraph',
    advice: keepsOldSupergraph,
  },
  'canary-failed': {
    severity: 'breaking',
    breaksOperations: true,
    advice: 'Print the plan with `tributary plan`: it fetches something that the subgraphs do not serve.',
  },
  'operation-broken': { severity: ['breaking', 'dangerous'], breaksOperations: true },
  'plan-cost': { severity: ['breaking', 'dangerous'] },
  'enrichment-contract': {
    severity: ['breaking', 'dangerous'],
    isContractTerm: true,
    needs: 'gateway configuration',
  },
  'cache-contract': {
    severity: 'breaking',
    isContractTerm: true,
    advice: 'Keep scope: PRIVATE. A value that is the same for every client belongs in a field of its own.',
  },
  'staleness-slo': {
    severity: ['breaking', 'dangerous'],
    isContractTerm: true,
    needs: 'gateway configuration',
    advice:
      'Lower staleIfError and staleWhileRevalidate, or agree with the consumer on another `# @slo staleness`.',
  },
  'latency-slo': {
    severity: ['breaking', 'dangerous'],
    isContractTerm: true,
    needs: 'step latency',
    advice:
      'Let a subgraph that is fetched earlier serve or @provides what the last fetch gets, defer the field, or agree with the consumer on another `# @slo latency`.',
  },
  'cost-limit': {
    severity: ['breaking', 'dangerous'],
    isContractTerm: true,
    needs: 'gateway configuration',
    advice:
      'Lower its cost with @cost or @listSize, agree with the consumer on a smaller operation, or raise the limit.',
  },
  'slo-unmatched': {
    severity: ['dangerous', 'safe'],
    isContractTerm: true,
    needs: 'gateway configuration',
  },
  'gateway-config-outdated': {
    severity: ['breaking', 'dangerous'],
    isContractTerm: true,
    needs: 'gateway configuration',
    advice: 'Remove it from the configuration before you publish the supergraph, or keep it in the graph.',
  },
} as const satisfies Rules;

/** What runs. */
const driftRules = {
  'contract-drift': { severity: 'dangerous' },
  'contract-missing': { severity: 'dangerous' },
  'supergraph-drift': {
    severity: 'dangerous',
    advice: 'Compose the supergraph again and publish it, or find out why gateways refuse it.',
  },
  'gateway-unreachable': {
    severity: 'undecided',
    advice:
      'Start the gateway, correct the URL of its admin listener (--gateway), or make the configured supergraph readable again.',
  },
} as const satisfies Rules;

/** Every rule by its id, grouped as in `docs/contracts.md`. */
export const ruleGroups = {
  store: storeRules,
  subgraph: subgraphRules,
  graph: graphRules,
  drift: driftRules,
} as const;

const rules = { ...storeRules, ...subgraphRules, ...graphRules, ...driftRules };

export type RuleId = keyof typeof rules;

/** A rule about a change of one subgraph. */
export type SubgraphRuleId = keyof typeof subgraphRules;

/** Rules whose findings all start with one severity. */
export type FixedSeverityRuleId = {
  [Id in RuleId]: (typeof rules)[Id]['severity'] extends Severity ? Id : never;
}[RuleId];

/** Rules whose findings have to bring their own advice. */
export type AdviceFreeRuleId = {
  [Id in RuleId]: (typeof rules)[Id] extends { readonly advice: string } ? never : Id;
}[RuleId];

export const ruleIds = Object.keys(rules) as readonly RuleId[];

export function ruleOf(id: RuleId): Rule {
  return rules[id];
}

export function isRuleId(text: string): text is RuleId {
  return Object.hasOwn(rules, text);
}

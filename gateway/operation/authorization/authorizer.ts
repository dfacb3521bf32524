import {
  type DocumentNode,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Claims } from '../../execution/requestContext.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import type { OperationRequest } from '../operationRequest.ts';
import { Access, accessKey, type Grants } from './access.ts';
import { AuthorizationRules } from './authorizationRules.ts';
import { mayHaveRequirements, type Requirement, readRequirements } from './requirements.ts';

/** The policies (`@policy`) that one request needs to be decided. */
export interface PolicyRequest {
  /** Distinct names of the policies that matter for the operation. */
  readonly policies: readonly string[];
  /** `undefined` for a request without a valid token. */
  readonly claims: Claims | undefined;
  /** Of the client. Names are in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly requestId: string;
}

/** Decides policies: resolves with those that are granted. When it rejects, the request fails with its error. */
export type DecidePolicies = (request: PolicyRequest) => Promise<readonly string[]>;

interface AuthorizerOptions {
  /** `security.authorization.onDenied`. */
  readonly onDenied: 'filter' | 'reject';
  /** A policy is granted if one of these grants it. Read for each decision. */
  readonly deciders: readonly { readonly decidePolicies?: DecidePolicies | undefined }[];
}

type OperationRef = Pick<OperationRequest, 'document' | 'operationName'>;
type AuthorizationRequest = OperationRef & Pick<OperationRequest, 'headers' | 'requestId'>;

/** An operation that touches protected parts of its supergraph. */
interface ProtectedOperation {
  readonly rules: AuthorizationRules;
  /** The requirements that matter for the operation, for any values of its conditions. */
  readonly requirements: readonly Requirement[];
  readonly policies: readonly string[];
  /** By key. */
  readonly accesses: LRUCache<string, Access>;
}

/** Maximum number of accesses that are cached for one operation. */
const maxAccesses = 32;

/** Decides what each request may read of its operation. Does nothing for supergraphs without requirements, and caches
 *  which operations touch none. */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #rules = new WeakMap<Supergraph, AuthorizationRules>();
  /** By operation name; `undefined` for an operation without requirements. */
  readonly #operations = new WeakMap<
    Supergraph,
    WeakMap<DocumentNode, Map<string, ProtectedOperation | undefined>>
  >();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** Reads the requirements of a supergraph that is being loaded (`Feature.readSupergraph`). */
  readSupergraph(reading: { readonly supergraph: Supergraph; readonly document: DocumentNode }) {
    if (!mayHaveRequirements(reading.supergraph.sdl)) return undefined;
    const { requirements, problems } = readRequirements(reading.document);
    return {
      problems,
      attach: (supergraph: Supergraph): undefined => {
        if (requirements.size === 0) return;
        this.#rules.set(supergraph, new AuthorizationRules(reading.document, requirements));
        this.#operations.set(supergraph, new WeakMap());
      },
    };
  }

  /** What a request may read of its operation; `undefined` if the operation has no requirements. A promise when the
   *  operation has policies, which rejects with the error of a decider. */
  accessFor(
    request: AuthorizationRequest,
    claims: Claims | undefined,
    supergraph: Supergraph,
  ): Access | undefined | Promise<Access> {
    const operation = this.#operationOf(request, supergraph);
    if (operation === undefined) return undefined;
    if (operation.policies.length === 0) return this.#accessOf(operation, claims, new Set());
    const { headers, requestId } = request;
    const granted = this.#decide({ policies: operation.policies, claims, headers, requestId });
    return granted.then((policies) => this.#accessOf(operation, claims, policies));
  }

  /** The access of a request that was decided before; `undefined` if the operation has no requirements. */
  restoreAccess(
    grants: Grants | undefined,
    operation: OperationRef,
    supergraph: Supergraph,
  ): Access | undefined {
    const found = this.#operationOf(operation, supergraph);
    return found && this.#accessWith(found, grants ?? { isAuthenticated: false, satisfied: [] });
  }

  #accessOf(
    operation: ProtectedOperation,
    claims: Claims | undefined,
    policies: ReadonlySet<string>,
  ): Access {
    const scopes = scopesOf(claims);
    const satisfied = operation.requirements.flatMap(({ kind, alternatives, name }) => {
      if (kind === 'authenticated') return claims === undefined ? [] : [name];
      const granted = kind === 'scopes' ? scopes : policies;
      return alternatives.some((names) => names.every((each) => granted.has(each))) ? [name] : [];
    });
    return this.#accessWith(operation, { isAuthenticated: claims !== undefined, satisfied });
  }

  #accessWith({ rules, requirements, accesses }: ProtectedOperation, grants: Grants): Access {
    const key = accessKey(requirements, grants);
    let access = accesses.get(key);
    if (access === undefined) {
      const isRejecting = this.#options.onDenied === 'reject';
      access = new Access({ rules, requirements, grants, isRejecting });
      accesses.set(key, access);
    }
    return access;
  }

  async #decide(request: PolicyRequest): Promise<ReadonlySet<string>> {
    const decided = this.#options.deciders.map(
      async (decider) => (await decider.decidePolicies?.(request)) ?? [],
    );
    return new Set((await Promise.all(decided)).flat());
  }

  #operationOf({ document, operationName }: OperationRef, supergraph: Supergraph) {
    const rules = this.#rules.get(supergraph);
    if (rules === undefined) return undefined;
    const ofSupergraph = this.#operations.get(supergraph);
    let ofDocument = ofSupergraph?.get(document);
    if (ofDocument === undefined) {
      ofDocument = new Map();
      ofSupergraph?.set(document, ofDocument);
    }
    const name = operationName ?? '';
    if (!ofDocument.has(name)) {
      const operation = getOperationAST(document, operationName);
      if (operation == null) throw new Error(`The document has no operation "${name}".`);
      ofDocument.set(name, toProtectedOperation(rules, supergraph, document, operation));
    }
    return ofDocument.get(name);
  }
}

function toProtectedOperation(
  rules: AuthorizationRules,
  { apiSchema }: Supergraph,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): ProtectedOperation | undefined {
  const found = new Set<Requirement>();
  const types = new TypeInfo(apiSchema);
  visit(
    document,
    visitWithTypeInfo(types, {
      [Kind.OPERATION_DEFINITION]: (node) => (node === operation ? undefined : false),
      [Kind.FIELD]: ({ name }) => {
        const parent = types.getParentType();
        if (parent == null) return;
        for (const requirement of rules.around(parent.name, name.value)) found.add(requirement);
      },
    }),
  );
  if (found.size === 0) return undefined;
  const requirements = [...found].sort((a, b) => (a.name < b.name ? -1 : 1));
  const policies = requirements.flatMap(({ kind, alternatives }) =>
    kind === 'policies' ? alternatives.flat() : [],
  );
  return {
    rules,
    requirements,
    policies: [...new Set(policies)].sort(),
    accesses: new LRUCache({ max: maxAccesses }),
  };
}

/** The scopes of a token: `scope` (RFC 8693) and `scp`, each a list, or a text with spaces. */
export function scopesOf(claims: Claims | undefined): ReadonlySet<string> {
  return new Set(['scope', 'scp'].flatMap((name) => (claims === undefined ? [] : namesOf(claims, name))));
}

function namesOf(claims: Claims, name: string): readonly string[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  if (typeof value === 'string') return value.split(' ').filter((scope) => scope !== '');
  return Array.isArray(value) ? value.filter((scope) => typeof scope === 'string') : [];
}

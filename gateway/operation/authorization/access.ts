import type { AuthorizationRules } from './authorizationRules.ts';
import type { Requirement } from './requirements.ts';

/** Which requirements of an operation a request satisfies. Plain data, so that a job can be stored with it. */
export interface Grants {
  readonly isAuthenticated: boolean;
  /** Names of the satisfied requirements. Every other requirement is denied. */
  readonly satisfied: readonly string[];
}

interface AccessOptions {
  readonly rules: AuthorizationRules;
  /** The requirements that matter for the operation. */
  readonly requirements: readonly Requirement[];
  readonly grants: Grants;
  /** Refuse the whole operation when a part of it is denied (`security.authorization.onDenied: reject`). */
  readonly isRejecting: boolean;
}

/** What requests with equal grants may read of one operation. */
export class Access {
  /** Equal for requests that may read the same of the operation, and get the same errors for the rest. */
  readonly key: string;
  readonly grants: Grants;
  readonly isRejecting: boolean;
  /** Whether some requirement is denied. Otherwise the operation is prepared like one without requirements. */
  readonly hasDenials: boolean;
  readonly #rules: AuthorizationRules;
  /** Names of the requirements that matter, as one text. */
  readonly #names: string;
  readonly #satisfied: ReadonlySet<string>;
  readonly #types = new Map<string, boolean>();

  constructor({ rules, requirements, grants, isRejecting }: AccessOptions) {
    const satisfied = new Set(grants.satisfied);
    this.grants = grants;
    this.isRejecting = isRejecting;
    this.hasDenials = requirements.some(({ name }) => !satisfied.has(name));
    this.key = accessKey(requirements, grants);
    this.#rules = rules;
    this.#names = JSON.stringify(requirements.map(({ name }) => name));
    this.#satisfied = satisfied;
  }

  /** The code of errors at what is denied. */
  get code(): 'UNAUTHENTICATED' | 'FORBIDDEN' {
    return this.grants.isAuthenticated ? 'FORBIDDEN' : 'UNAUTHENTICATED';
  }

  /** Whether the other access decides the same requirements in the same way. It may be of another supergraph. */
  equals(other: Access | undefined): boolean {
    return this.key === other?.key && this.#names === other.#names;
  }

  /** Whether objects of the type, or values of the scalar or enum, are denied. For an interface or union: all its
   *  objects. */
  isTypeDenied(type: string): boolean {
    let isDenied = this.#types.get(type);
    if (isDenied === undefined) {
      const possible = this.#rules.possibleTypesOf(type);
      isDenied =
        this.#denies(this.#rules.ofType(type)) ||
        (possible.length > 0 && possible.every((name) => this.isTypeDenied(name)));
      this.#types.set(type, isDenied);
    }
    return isDenied;
  }

  /** Whether a field is denied on objects of the type; for an interface, on all its objects. */
  isFieldDenied(type: string, field: string): boolean {
    const returned = this.#rules.returnTypeOf(type, field);
    return (
      this.isTypeDenied(type) ||
      this.#denies(this.#rules.ofField(type, field)) ||
      (returned !== undefined && this.isTypeDenied(returned))
    );
  }

  #denies(requirements: readonly Requirement[]): boolean {
    return requirements.some(({ name }) => !this.#satisfied.has(name));
  }
}

/** One character for each requirement, and one for the code of errors. */
export function accessKey(requirements: readonly Requirement[], grants: Grants): string {
  const satisfied = new Set(grants.satisfied);
  const bits = requirements.map(({ name }) => (satisfied.has(name) ? '1' : '0')).join('');
  return bits.includes('0') ? `${bits}${grants.isAuthenticated ? 'f' : 'u'}` : bits;
}

import { type DocumentNode, getOperationAST } from 'graphql';
import type { GatewayConfig } from '../config/schema.ts';
import { higherRequestPriority, type RequestPriority } from '../subgraphs/policies/callPriority.ts';

/** How urgent a request is (`overload.priorities`): by the name of its operation if it is configured, otherwise by what
 *  its client claims. A client that claims more than it may gets the highest priority that it may have. */
export class RequestPriorities {
  readonly #byOperation: ReadonlyMap<string, RequestPriority>;
  readonly #highestOfOperations: RequestPriority;
  readonly #claims: GatewayConfig['overload']['priorities']['claims'];

  constructor({ operations, claims }: GatewayConfig['overload']['priorities']) {
    this.#byOperation = new Map(Object.entries(operations));
    this.#highestOfOperations = Object.values(operations).reduce(higherRequestPriority, 'background');
    this.#claims = claims;
  }

  /** `claimed`: the client's `tributary-priority`. */
  priorityOf(
    document: DocumentNode,
    operationName: string | undefined,
    claimed: RequestPriority | undefined,
    isIdentified: boolean,
  ): RequestPriority {
    if (this.#byOperation.size > 0) {
      const name = getOperationAST(document, operationName)?.name?.value;
      const configured = name === undefined ? undefined : this.#byOperation.get(name);
      if (configured !== undefined) return configured;
    }
    return this.priorityByClaim(claimed, isIdentified);
  }

  /** Whether the priority of a request depends on its claim only. */
  get areClaimed(): boolean {
    return this.#byOperation.size === 0 && this.#claims.identified === this.#claims.anonymous;
  }

  /** The priority of an operation that is not configured. */
  priorityByClaim(claimed: RequestPriority | undefined, isIdentified: boolean): RequestPriority {
    const wanted = claimed ?? 'normal';
    const allowed = isIdentified ? this.#claims.identified : this.#claims.anonymous;
    return higherRequestPriority(wanted, allowed) === wanted ? allowed : wanted;
  }

  /** The highest priority that a request with this claim can have with any operation. */
  highestPriorityOf(claimed: RequestPriority | undefined, isIdentified: boolean): RequestPriority {
    return higherRequestPriority(this.priorityByClaim(claimed, isIdentified), this.#highestOfOperations);
  }
}

import type { GraphQLSchema } from 'graphql';
import { graphql } from 'graphql';

/** With more distinct request bodies than this, all are dropped. Otherwise a target whose bodies never repeat would
 *  fill the memory. */
const maxBodies = 20_000;

interface GraphQLBody {
  readonly query: string;
  readonly variables?: Record<string, unknown> | null;
  readonly operationName?: string | null;
}

/** Responses of one subgraph by request body. Each distinct body is executed once; further requests get the stored
 *  bytes, so that the subgraphs cost almost nothing and the benchmark measures the gateway. */
export class CannedAnswers {
  readonly #schema: GraphQLSchema;
  readonly #answers = new Map<string, Promise<Buffer> | Buffer>();

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  /** Returns bytes for a known body, otherwise a promise of them. Rejects if the body is not JSON. */
  answer(body: string): Buffer | Promise<Buffer> {
    const known = this.#answers.get(body);
    if (known) return known;
    if (this.#answers.size >= maxBodies) this.#answers.clear();
    const answer = this.#execute(body).then((bytes) => {
      this.#answers.set(body, bytes);
      return bytes;
    });
    this.#answers.set(body, answer);
    answer.catch(() => this.#answers.delete(body));
    return answer;
  }

  async #execute(body: string): Promise<Buffer> {
    const { query, variables, operationName } = JSON.parse(body) as GraphQLBody;
    const result = await graphql({
      schema: this.#schema,
      source: query,
      variableValues: variables ?? null,
      operationName: operationName ?? null,
    });
    return Buffer.from(JSON.stringify(result));
  }
}

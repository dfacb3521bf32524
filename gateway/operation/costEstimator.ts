import { type DocumentNode, getOperationAST } from 'graphql';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { compileCost, type EstimateCost, type EstimatedCost } from './compileCost.ts';
import { type CostRules, mayHaveCostRules, noCostRules, readCostRules } from './costRules.ts';
import type { OperationRequest } from './operationRequest.ts';

/** Estimates the cost of operations before they are planned. Each operation of a document is compiled once for each
 *  supergraph. */
export class CostEstimator {
  readonly #listSize: number;
  readonly #rules = new WeakMap<Supergraph, CostRules>();
  readonly #estimates = new WeakMap<Supergraph, WeakMap<DocumentNode, Map<string, EstimateCost>>>();

  /** `listSize`: `limits.cost.listSize`. */
  constructor(listSize: number) {
    this.#listSize = listSize;
  }

  /** Reads the rules of a supergraph that is being loaded (`Feature.readSupergraph`). */
  readSupergraph(reading: { readonly supergraph: Supergraph; readonly document: DocumentNode }) {
    if (!mayHaveCostRules(reading.supergraph.sdl)) return undefined;
    const rules = readCostRules(reading.document);
    return {
      attach: (supergraph: Supergraph): undefined => {
        this.#rules.set(supergraph, rules);
      },
    };
  }

  estimate(request: OperationRequest, supergraph: Supergraph): EstimatedCost {
    return this.#estimateOf(request, supergraph)(request.variables);
  }

  /** The rules by which operations on this supergraph are estimated. */
  rulesOf(supergraph: Supergraph): CostRules {
    return this.#rules.get(supergraph) ?? noCostRules;
  }

  #estimateOf({ document, operationName }: OperationRequest, supergraph: Supergraph): EstimateCost {
    let ofSupergraph = this.#estimates.get(supergraph);
    if (ofSupergraph === undefined) {
      ofSupergraph = new WeakMap();
      this.#estimates.set(supergraph, ofSupergraph);
    }
    let ofDocument = ofSupergraph.get(document);
    if (ofDocument === undefined) {
      ofDocument = new Map();
      ofSupergraph.set(document, ofDocument);
    }
    const name = operationName ?? '';
    let estimate = ofDocument.get(name);
    if (estimate === undefined) {
      const operation = getOperationAST(document, operationName);
      if (operation == null) throw new Error(`The document has no operation "${name}".`);
      estimate = compileCost({
        schema: supergraph.apiSchema,
        document,
        operation,
        rules: this.rulesOf(supergraph),
        listSize: this.#listSize,
      });
      ofDocument.set(name, estimate);
    }
    return estimate;
  }
}

/** Where supergraph SDL comes from. */
export interface SupergraphSource {
  /** Looks for the first time, then keeps looking until `stop`. `onSdl`: the SDL as it is now, at the start,
   *  after each change, and when a problem is over, also when nothing changed. `onProblem`: why there is none
   *  at the moment, for the operator; called again only when the words change. Resolves after the first look,
   *  whatever came of it, and never rejects. */
  start(listener: SupergraphSourceListener): Promise<void>;
  /** Resolves when nothing of it is under way any more; the listener is not called after that. */
  stop(): Promise<void>;
}

export interface SupergraphSourceListener {
  onSdl(sdl: string): void;
  onProblem(message: string): void;
}

/** Provides supergraph SDLs. */
export interface SupergraphSource {
  /** Reads the SDL, and then checks for changes until `stop`. Resolves after the first read, whether or not it succeeded.
   *  Never rejects. */
  start(listener: SupergraphSourceListener): Promise<void>;
  /** Resolves when all activity has ended. The listener is not called afterwards. */
  stop(): Promise<void>;
}

export interface SupergraphSourceListener {
  /** Called with the SDL after the first read, after each change, and after recovery from a problem. */
  onSdl(sdl: string): void;
  /** Called with the reason why the SDLs of the subgraphs, which can be read, make no supergraph; again only when the message
   *  changes. */
  onRefusal(message: string): void;
  /** Called with the reason why the SDL cannot be read, for the operator; again only when the message changes. */
  onProblem(message: string): void;
}

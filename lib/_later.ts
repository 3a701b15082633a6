/**
 * A second look, for those who cannot be told when something is over.
 *
 * @module
 */

/** Calls a function a turn or a millisecond later. */
export class Later {
  readonly #fn: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #immediate: ReturnType<typeof setImmediate> | null = null;

  constructor(fn: () => void) {
    this.#fn = fn;
  }

  /** The call is still to come. */
  get is_planned(): boolean {
    return this.#timer !== null || this.#immediate !== null;
  }

  /** Plans the call, in place of one that is planned; `patiently`, in a while, which leaves the processor to others. */
  plan(patiently: boolean): void {
    this.cancel();
    if (patiently) this.#timer = setTimeout(this.#call, 1);
    else this.#immediate = setImmediate(this.#call);
  }

  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#timer = this.#immediate = null;
  }

  readonly #call = (): void => {
    this.#timer = this.#immediate = null;
    this.#fn();
  };
}

/**
 * Declaring tests to `deno test`.
 *
 * @module
 */

/**
 * A test, as `Deno.test()` takes it.
 */
export interface TestDefinition {
  /** What it promises. */
  readonly name: string;
  /** Whether it is left out. */
  readonly ignore: boolean;
  /** Whether all others are left out. */
  readonly only: boolean;
  /** Fails if operations of the machine are left behind. */
  readonly sanitizeOps: boolean;
  /** Fails if something of the machine is left open. */
  readonly sanitizeResources: boolean;
  /** Fails if it ends the process. */
  readonly sanitizeExit: boolean;
  /** Runs it. */
  readonly fn: () => Promise<void>;
}

/** Declares a test. */
export function declare_test(test: TestDefinition): void {
  Deno.test(test);
}

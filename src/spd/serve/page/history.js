// Earlier and later states, for undo and redo.

const MOST_KEPT = 200;

export class History {
  #past = [];
  #future = [];

  /** Keep a state that is about to change; what was undone can no longer be redone. */
  keep(state) {
    this.#past = [...this.#past, state].slice(-MOST_KEPT);
    this.#future = [];
  }

  /** The state before `now`; null if there is none. */
  undo(now) {
    if (!this.#past.length) return null;
    this.#future.push(now);
    return this.#past.pop();
  }

  /** The state that was undone last; null if there is none. */
  redo(now) {
    if (!this.#future.length) return null;
    this.#past.push(now);
    return this.#future.pop();
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }
}

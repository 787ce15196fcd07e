/**
 * Clients of the endpoint, and the role of each.
 *
 * @module
 */
import type { Connection, Endpoint } from "./endpoint.ts";
import type { Bindings } from "./response.ts";
import { type RoleView, viewOf } from "./role_view.ts";
import type { ServedRole } from "./roles.ts";
import type { TokenUser } from "./tokens.ts";

/** Text of a response to a user that `--allow-user` does not list. */
export const USER_REFUSAL = "this user gets no credentials; start serve with --allow-user for it";
const NO_ROLE = "this user has no role; add it to users in the file of --roles";

/** A client that may ask, with its role at the IMDSv2 paths. */
export interface Client {
  readonly user: TokenUser;
  readonly view: RoleView;
}

/** Roles of the clients. The user of the connection decides at each request. */
export class Clients {
  readonly views: readonly RoleView[];
  readonly #byUser: ReadonlyMap<number, RoleView>;
  readonly #others: RoleView | undefined;
  /** The client of an endpoint that does not distinguish users. */
  readonly #any: Client | undefined;

  constructor(private readonly endpoint: Endpoint) {
    const { roles, byUser, others } = endpoint.table;
    const views = new Map(roles.map((role) => [role, viewOf(role)]));
    const viewFor = (role: ServedRole) => views.get(role) ?? viewOf(role);
    this.views = [...views.values()];
    this.#byUser = new Map([...byUser].map(([user, role]) => [user, viewFor(role)]));
    this.#others = others && viewFor(others);
    if (!endpoint.identifiesUsers && !endpoint.allowedUsers && this.#others) {
      this.#any = { user: "any", view: this.#others };
    }
  }

  /** Returns the client, or the text that refuses it. */
  find(bindings: Bindings): Client | string {
    const client = this.#any ?? this.#findByUser(bindings.connection.user());
    if (typeof client !== "string") bindings.role = client.view.role.name;
    return client;
  }

  /** Returns true if `--allow-user` lets the client ask, or is not given. */
  isAllowed(connection: Connection): boolean {
    const { allowedUsers } = this.endpoint;
    if (!allowedUsers) return true;
    const user = connection.user();
    return user !== undefined && allowedUsers.has(user);
  }

  #findByUser(user: number | undefined): Client | string {
    const { allowedUsers } = this.endpoint;
    // Without a user, the client could be one that is listed for another role.
    if (user === undefined) return allowedUsers ? USER_REFUSAL : NO_ROLE;
    if (allowedUsers && !allowedUsers.has(user)) return USER_REFUSAL;
    const view = this.#byUser.get(user) ?? this.#others;
    return view ? { user, view } : NO_ROLE;
  }
}

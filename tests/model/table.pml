/* The life of a lease: the same table as TRANSITIONS in shared/lease/machine.py.
 * tests/unit/model/test_check.py fails when a row differs, is missing or is too much. One row a line.
 */

#define NONE 0
#define FREE 1
#define HELD 2
#define RELEASING 3
#define REVOKING 4
#define RELEASED 5
#define SEVERED 6
#define EXPIRED 7

#define ACQUIRE 1
#define RENEW 2
#define CONFIRM 3
#define ATTACH 4
#define RELEASE 5
#define REVOKE 6
#define ACKNOWLEDGE 7
#define COMPLETE 8
#define EXPIRE 9

/* The state after operation op in state s; NONE: not in the table, refused. An absent hash is NONE as well. */
#define AFTER(s, op) ( \
    (s) == FREE      && (op) == ACQUIRE     -> HELD : ( \
    (s) == RELEASED  && (op) == ACQUIRE     -> HELD : ( \
    (s) == SEVERED   && (op) == ACQUIRE     -> HELD : ( \
    (s) == EXPIRED   && (op) == ACQUIRE     -> HELD : ( \
    (s) == HELD      && (op) == RENEW       -> HELD : ( \
    (s) == HELD      && (op) == CONFIRM     -> HELD : ( \
    (s) == HELD      && (op) == ATTACH      -> HELD : ( \
    (s) == HELD      && (op) == RELEASE     -> RELEASING : ( \
    (s) == RELEASING && (op) == RELEASE     -> RELEASING : ( \
    (s) == REVOKING  && (op) == RELEASE     -> REVOKING : ( \
    (s) == RELEASED  && (op) == RELEASE     -> RELEASED : ( \
    (s) == SEVERED   && (op) == RELEASE     -> SEVERED : ( \
    (s) == HELD      && (op) == REVOKE      -> REVOKING : ( \
    (s) == RELEASING && (op) == REVOKE      -> RELEASING : ( \
    (s) == REVOKING  && (op) == REVOKE      -> REVOKING : ( \
    (s) == RELEASED  && (op) == REVOKE      -> RELEASED : ( \
    (s) == SEVERED   && (op) == REVOKE      -> SEVERED : ( \
    (s) == HELD      && (op) == ACKNOWLEDGE -> HELD : ( \
    (s) == RELEASING && (op) == ACKNOWLEDGE -> RELEASING : ( \
    (s) == REVOKING  && (op) == ACKNOWLEDGE -> REVOKING : ( \
    (s) == RELEASED  && (op) == ACKNOWLEDGE -> RELEASED : ( \
    (s) == SEVERED   && (op) == ACKNOWLEDGE -> SEVERED : ( \
    (s) == EXPIRED   && (op) == ACKNOWLEDGE -> EXPIRED : ( \
    (s) == RELEASING && (op) == COMPLETE    -> RELEASED : ( \
    (s) == REVOKING  && (op) == COMPLETE    -> SEVERED : ( \
    (s) == HELD      && (op) == EXPIRE      -> EXPIRED : ( \
    (s) == RELEASING && (op) == EXPIRE      -> EXPIRED : ( \
    (s) == REVOKING  && (op) == EXPIRE      -> EXPIRED : ( \
    NONE )))))))))))))))))))))))))))))

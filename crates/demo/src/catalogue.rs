//! What the platform declares to Keybell before anything else: its event types and its scopes. To declare them again is
//! harmless, so it does so at each start.

use serde_json::{Value, json};

use crate::keybell::{CallError, Keybell};

/// The scopes that keys of this platform can have, each with what it lets its holder do.
pub const SCOPES: [(&str, &str); 4] = [
    ("reports:read", "Read research reports"),
    ("reports:write", "Publish and change research reports"),
    ("portfolios:read", "Read portfolios and their valuation"),
    ("portfolios:write", "Change what is in a portfolio"),
];

/// Declares everything.
pub async fn declare(keybell: &Keybell) -> Result<(), CallError> {
    for (name, description) in SCOPES {
        keybell.post("/v1/scopes", &json!({ "name": name, "description": description })).await?;
    }
    for event_type in event_types() {
        keybell.post("/v1/event-types", &event_type).await?;
    }
    Ok(())
}

fn event_types() -> [Value; 4] {
    let report = json!({
        "type": "object",
        "required": ["id", "symbol", "title", "rating", "summary", "version", "published_at"],
        "properties": {
            "id": { "type": "string" },
            "symbol": { "type": "string" },
            "title": { "type": "string" },
            "rating": { "enum": ["buy", "hold", "sell"] },
            "summary": { "type": "string" },
            "version": { "type": "integer", "minimum": 1 },
            "published_at": { "type": "string" },
        },
    });
    let holdings = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["symbol", "shares"],
            "properties": { "symbol": { "type": "string" }, "shares": { "type": "integer", "minimum": 0 } },
        },
    });
    let portfolio = json!({
        "type": "object",
        "required": ["id", "name", "version", "month", "value_usd", "holdings"],
        "properties": {
            "id": { "type": "string" },
            "name": { "type": "string" },
            "version": { "type": "integer", "minimum": 1 },
            "month": { "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$" },
            "value_usd": { "type": "number" },
            "holdings": holdings,
        },
    });
    let example_report = json!({
        "id": "rr_acme_1",
        "symbol": "AAPL",
        "title": "Room to grow",
        "rating": "buy",
        "summary": "The new music player sells faster than it can be made.",
        "version": 1,
        "published_at": "2026-11-23T15:31:56.123Z",
    });
    let example_portfolio = json!({
        "id": "pf_acme_1",
        "name": "Growth",
        "version": 1,
        "month": "2005-02",
        "value_usd": 21_234.5,
        "holdings": [{ "symbol": "AAPL", "shares": 200 }],
    });
    let object = |properties: Value| {
        let required: Vec<&String> =
            properties.as_object().into_iter().flat_map(|members| members.keys()).collect();
        json!({ "type": "object", "required": required, "properties": properties })
    };
    [
        json!({
            "name": "research_report.published",
            "group": "research_report",
            "description": "An analyst published a research report.",
            "schema": object(json!({ "report": report })),
            "example": { "report": example_report },
        }),
        json!({
            "name": "research_report.updated",
            "group": "research_report",
            "description": "A research report was changed. It comes with the rating it had before.",
            "schema": object(json!({ "report": report, "rating_before": { "enum": ["buy", "hold", "sell"] } })),
            "example": { "report": example_report, "rating_before": "hold" },
        }),
        json!({
            "name": "portfolio.updated",
            "group": "portfolio",
            "description": "A month passed, and a portfolio has a new value. It comes with the value before.",
            "schema": object(json!({ "portfolio": portfolio, "value_before_usd": { "type": "number" } })),
            "example": { "portfolio": example_portfolio, "value_before_usd": 20_118.25 },
        }),
        json!({
            "name": "portfolio.rebalanced",
            "group": "portfolio",
            "description": "Somebody changed what is in a portfolio. It comes with what was in it before.",
            "schema": object(json!({ "portfolio": portfolio, "holdings_before": holdings })),
            "example": { "portfolio": example_portfolio, "holdings_before": [{ "symbol": "AAPL", "shares": 100 }] },
        }),
    ]
}

#!/bin/sh
# Imports the sales of a hardware dealer (8,800 deals) into a deployment of their own. docs/guide/import.md explains each step.
# Usage: crm_maven.sh DATA_DIR TARGET_DIR
# The database is SQLite in TARGET_DIR unless COMPTOIR_DEPLOYMENT__DATABASE_URL names another; running it again changes nothing.
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 DATA_DIR TARGET_DIR" >&2
    exit 2
fi
data=$1
mkdir -p "$2"
target=$(cd "$2" && pwd)

comptoir() {
    command comptoir --config "$target/comptoir.toml" "$@"
}

comptoir init --admin-email "${ADMIN_EMAIL:-admin@example.com}" --admin-password "${ADMIN_PASSWORD:-comptoir-demo}"
comptoir modules enable sales

# Regions are teams; each manager has a team in a region.
comptoir import base.team "$data/sales_teams.csv" --key name \
    --map "regional_office=name"
comptoir import base.team "$data/sales_teams.csv" --key name \
    --map "manager=name" --map "regional_office=parent"

# Managers and agents are users in those teams.
comptoir import base.user "$data/sales_teams.csv" --key name \
    --map "manager=name" --map "manager=team"
comptoir import base.user "$data/sales_teams.csv" --key name \
    --map "sales_agent=name" --map "manager=team"

# Accounts are contacts; revenue stands in millions.
comptoir import base.contact "$data/accounts.csv" --key name \
    --map "account=name" --map "sector=sector" --map "year_established=year_established" \
    --map "revenue=annual_revenue*1000000" --map "employees=employees" \
    --map "office_location=country" --map "subsidiary_of=parent"

comptoir import catalog.product "$data/products.csv" --key name \
    --map "product=name" --map "series=series" --map "sales_price=price"

# Opportunities are deals; what is worth a look is listed row by row in notices.csv.
comptoir import sales.deal "$data/sales_pipeline.csv" --key reference --notices "$target/notices.csv" \
    --map "opportunity_id=reference" --map "sales_agent=owner" --map "product=product" \
    --map "account=contact" --map "deal_stage=stage" --map "engage_date=opened_on" \
    --map "close_date=closed_on" --map "close_value=amount"

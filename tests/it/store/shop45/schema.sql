-- A shop in 45 tables. Fourteen hold goods and staff, the others lead to customers.
CREATE TABLE countries (code TEXT PRIMARY KEY, name TEXT NOT NULL, in_union INTEGER NOT NULL DEFAULT 1);
CREATE TABLE tax_rates (id INTEGER PRIMARY KEY, country TEXT NOT NULL REFERENCES countries, rate REAL NOT NULL, valid_from TEXT);
CREATE TABLE warehouses (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT REFERENCES countries);
CREATE TABLE suppliers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT REFERENCES countries, lead_days INTEGER);
CREATE TABLE brands (id INTEGER PRIMARY KEY, name TEXT NOT NULL, slug TEXT UNIQUE);
CREATE TABLE categories (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES categories, name TEXT NOT NULL, slug TEXT UNIQUE, sort INTEGER);
CREATE TABLE products (
    id INTEGER PRIMARY KEY, brand_id INTEGER REFERENCES brands, category_id INTEGER REFERENCES categories,
    supplier_id INTEGER REFERENCES suppliers, title TEXT NOT NULL, description TEXT, published_at TEXT, retired_at TEXT
);
CREATE TABLE variants (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products, sku TEXT UNIQUE NOT NULL, size TEXT, colour TEXT, grams INTEGER);
CREATE TABLE product_images (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products, url TEXT NOT NULL, sort INTEGER);
CREATE TABLE stock_levels (
    variant_id INTEGER NOT NULL REFERENCES variants, warehouse_id INTEGER NOT NULL REFERENCES warehouses, on_hand INTEGER NOT NULL,
    reserved INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (variant_id, warehouse_id)
);
CREATE TABLE price_lists (id INTEGER PRIMARY KEY, name TEXT NOT NULL, currency TEXT NOT NULL);
CREATE TABLE prices (price_list_id INTEGER NOT NULL REFERENCES price_lists, variant_id INTEGER NOT NULL REFERENCES variants, amount INTEGER NOT NULL, PRIMARY KEY (price_list_id, variant_id));
CREATE TABLE shipping_methods (id INTEGER PRIMARY KEY, name TEXT NOT NULL, carrier TEXT, days INTEGER, amount INTEGER);
CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE NOT NULL, role TEXT NOT NULL, left_at TEXT);

CREATE TABLE customers (
    id INTEGER PRIMARY KEY, number TEXT UNIQUE NOT NULL, email TEXT UNIQUE NOT NULL, password_hash TEXT, first_name TEXT NOT NULL,
    last_name TEXT NOT NULL, company TEXT, vat_number TEXT, birth_date TEXT, language TEXT, currency TEXT, price_list_id INTEGER REFERENCES price_lists,
    referred_by INTEGER REFERENCES customers ON DELETE SET NULL, status TEXT NOT NULL DEFAULT 'active', marketing INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL, last_login_at TEXT, closed_at TEXT
);
CREATE TABLE addresses (
    id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers ON DELETE CASCADE, label TEXT, recipient TEXT NOT NULL, company TEXT,
    line1 TEXT NOT NULL, line2 TEXT, postcode TEXT NOT NULL, city TEXT NOT NULL, region TEXT, country TEXT REFERENCES countries,
    phone TEXT, created_at TEXT, is_default INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE customer_phones (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE, number TEXT NOT NULL, kind TEXT, verified_at TEXT);
CREATE TABLE consents (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE, purpose TEXT NOT NULL, given_at TEXT, withdrawn_at TEXT, version INTEGER);
CREATE TABLE sessions (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE, token TEXT UNIQUE NOT NULL, ip TEXT, user_agent TEXT, started_at TEXT, seen_at TEXT);
CREATE TABLE password_resets (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE, token TEXT UNIQUE NOT NULL, asked_at TEXT, used_at TEXT);
CREATE TABLE newsletter_signups (id INTEGER PRIMARY KEY, email TEXT NOT NULL, list TEXT NOT NULL, source TEXT, confirmed_at TEXT, stopped_at TEXT);
CREATE TABLE wishlists (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE, is_public INTEGER, created_at TEXT);
CREATE TABLE wishlist_items (id INTEGER PRIMARY KEY, wishlist_id INTEGER NOT NULL REFERENCES wishlists ON DELETE CASCADE, variant_id INTEGER REFERENCES variants, added_at TEXT);
CREATE TABLE carts (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers ON DELETE CASCADE, currency TEXT, created_at TEXT, abandoned_at TEXT);
CREATE TABLE cart_items (id INTEGER PRIMARY KEY, cart_id INTEGER NOT NULL REFERENCES carts ON DELETE CASCADE, variant_id INTEGER REFERENCES variants, quantity INTEGER, added_at TEXT);

CREATE TABLE orders (
    id INTEGER PRIMARY KEY, number TEXT UNIQUE NOT NULL, customer_id INTEGER REFERENCES customers, email TEXT NOT NULL, phone TEXT,
    billing_address_id INTEGER REFERENCES addresses ON DELETE SET NULL, shipping_address_id INTEGER REFERENCES addresses ON DELETE SET NULL,
    placed_at TEXT NOT NULL, paid_at TEXT, cancelled_at TEXT, currency TEXT, subtotal INTEGER, shipping INTEGER, tax INTEGER, total INTEGER,
    ip TEXT, user_agent TEXT, gift_message TEXT, customer_note TEXT, source TEXT
);
CREATE TABLE order_items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders ON DELETE CASCADE, variant_id INTEGER REFERENCES variants, quantity INTEGER, amount INTEGER, tax INTEGER, engraving TEXT);
CREATE TABLE order_notes (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders ON DELETE CASCADE, staff_id INTEGER REFERENCES staff, body TEXT NOT NULL, written_at TEXT);
CREATE TABLE order_events (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders ON DELETE CASCADE, status TEXT NOT NULL, at TEXT);
CREATE TABLE invoices (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, number TEXT UNIQUE NOT NULL, issued_on TEXT NOT NULL, name TEXT NOT NULL, address TEXT NOT NULL, vat_number TEXT, net INTEGER, tax INTEGER, gross INTEGER);
CREATE TABLE invoice_lines (id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL REFERENCES invoices, text TEXT NOT NULL, quantity INTEGER, net INTEGER, tax_rate_id INTEGER REFERENCES tax_rates);
CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, method TEXT NOT NULL, reference TEXT, card_last4 TEXT, holder TEXT, amount INTEGER NOT NULL, captured_at TEXT);
CREATE TABLE refunds (id INTEGER PRIMARY KEY, payment_id INTEGER NOT NULL REFERENCES payments, amount INTEGER NOT NULL, reason TEXT, iban TEXT, made_at TEXT);
CREATE TABLE shipments (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, method_id INTEGER REFERENCES shipping_methods, warehouse_id INTEGER REFERENCES warehouses, tracking TEXT, sent_at TEXT, delivered_at TEXT);
CREATE TABLE shipment_events (id INTEGER PRIMARY KEY, shipment_id INTEGER NOT NULL REFERENCES shipments ON DELETE CASCADE, place TEXT, signed_by TEXT, at TEXT, code TEXT);
CREATE TABLE returns (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, number TEXT UNIQUE, reason TEXT, comment TEXT, opened_at TEXT, closed_at TEXT);
CREATE TABLE return_items (id INTEGER PRIMARY KEY, return_id INTEGER NOT NULL REFERENCES returns ON DELETE CASCADE, order_item_id INTEGER NOT NULL REFERENCES order_items ON DELETE CASCADE, quantity INTEGER, condition TEXT);
CREATE TABLE reviews (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, product_id INTEGER REFERENCES products, stars INTEGER, nickname TEXT, title TEXT, body TEXT, written_at TEXT);
CREATE TABLE review_votes (review_id INTEGER NOT NULL REFERENCES reviews ON DELETE CASCADE, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE, is_helpful INTEGER, PRIMARY KEY (review_id, customer_id));
CREATE TABLE questions (id INTEGER PRIMARY KEY, email TEXT NOT NULL, product_id INTEGER REFERENCES products, name TEXT, body TEXT NOT NULL, answer TEXT, asked_at TEXT);
CREATE TABLE tickets (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, email TEXT NOT NULL, order_id INTEGER REFERENCES orders ON DELETE SET NULL, subject TEXT, priority INTEGER, assigned_to INTEGER REFERENCES staff, opened_at TEXT, closed_at TEXT);
CREATE TABLE ticket_messages (id INTEGER PRIMARY KEY, ticket_id INTEGER NOT NULL REFERENCES tickets ON DELETE CASCADE, staff_id INTEGER REFERENCES staff, body TEXT NOT NULL, sent_at TEXT);
CREATE TABLE gift_cards (id INTEGER PRIMARY KEY, buyer_id INTEGER REFERENCES customers ON DELETE SET NULL, recipient_id INTEGER REFERENCES customers ON DELETE SET NULL, code TEXT UNIQUE NOT NULL, greeting TEXT, amount INTEGER, left_amount INTEGER, expires_on TEXT);
CREATE TABLE loyalty_points (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE, order_id INTEGER REFERENCES orders ON DELETE SET NULL, points INTEGER NOT NULL, booked_at TEXT);
CREATE TABLE coupons_used (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE, order_id INTEGER NOT NULL REFERENCES orders ON DELETE CASCADE, code TEXT NOT NULL, amount INTEGER);
